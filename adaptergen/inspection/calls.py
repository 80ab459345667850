"""The calls of modules in one run, in the order in which they begin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from adaptergen.facts import Call, Value
from adaptergen.inspection.places import Place
from adaptergen.inspection.values import Run


@dataclass
class Calls:
    """What was called: the places as their calls begin, and the calls as they end."""

    order: list[Place] = field(default_factory=list)
    made: dict[Place, Call] = field(default_factory=dict)

    def of(self, kind: str) -> tuple[Call, ...]:
        """The calls inside layers of one kind; outside of all for an empty name."""
        return tuple(
            self.made[place] for place in self.order if place.kind == kind and place in self.made
        )


@contextmanager
def recording(
    places: dict[Any, Place], run: Run, known: Mapping[Place, Call] = MappingProxyType({})
) -> Iterator[Calls]:
    """Record the first call at each place until the end of the block; `known` ones as they are."""
    calls = Calls()
    runs = {place.kind: run.inside(place.kind) for place in places.values()}
    takes: dict[Place, dict[str, Value]] = {}

    def before(module: Any, args: Any, kwargs: Any) -> None:
        place = places[module]
        if place in takes:
            return
        calls.order.append(place)
        passed = {} if place in known else _bound(module, args, kwargs)
        describe = runs[place.kind].describe
        takes[place] = {name: describe(v) for name, v in passed.items() if v is not None}

    def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        place = places[module]
        if place in known:
            calls.made[place] = known[place]
        elif place not in calls.made:
            returns = runs[place.kind].returned_by(module).describe(output)
            calls.made[place] = Call(path=place.path, takes=takes[place], returns=returns)

    handles = []
    for module in places:
        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after, with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _bound(module: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by the names that `forward` gives them, in its order."""
    positional, rest, named = _parameters(module.__class__)
    more = {f"{rest}{index}": value for index, value in enumerate(args[len(positional) :])}
    given = {**dict(zip(positional, args, strict=False)), **more, **kwargs}
    order = dict.fromkeys((*positional, *more, *named, *kwargs))
    return {name: given[name] for name in order if name in given}


@cache
def _parameters(cls: Any) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Names of what a `forward` takes: by position, what begins those of the rest, by name only."""
    try:
        _, *parameters = inspect.signature(cls.forward).parameters.values()
    except (TypeError, ValueError):  # it is not written in Python
        return (), "", ()
    rest = [f"{p.name}." for p in parameters if p.kind is p.VAR_POSITIONAL]
    return (
        tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        "".join(rest),
        tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
    )
