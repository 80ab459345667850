"""The calls of modules in one run, in the order in which they begin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from adaptergen.facts import Call, Value
from adaptergen.inspection.places import Place
from adaptergen.inspection.values import Run


@dataclass
class Calls:
    """What was called, by place: what went in and what came out."""

    order: list[Place] = field(default_factory=list)
    takes: dict[Place, dict[str, Value]] = field(default_factory=dict)
    returns: dict[Place, Value] = field(default_factory=dict)

    def of(self, kind: str) -> tuple[Call, ...]:
        """The calls inside layers of one kind; outside of all for an empty name."""
        places = [place for place in self.order if place.kind == kind and place in self.returns]
        return tuple(
            Call(path=place.path, takes=self.takes[place], returns=self.returns[place])
            for place in places
        )


@contextmanager
def recording(places: dict[Any, Place], run: Run) -> Iterator[Calls]:
    """Record the first call at each place until the end of the block."""
    calls = Calls()
    runs = {place.kind: run.inside(place.kind) for place in places.values()}

    def before(module: Any, args: Any, kwargs: Any) -> None:
        place = places[module]
        if place not in calls.takes:
            calls.order.append(place)
            calls.takes[place] = {
                name: runs[place.kind].describe(value)
                for name, value in _bound(module, args, kwargs).items()
                if value is not None
            }

    def after(module: Any, args: Any, kwargs: Any, output: Any) -> None:
        place = places[module]
        if place not in calls.returns:
            calls.returns[place] = runs[place.kind].describe(output)

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
