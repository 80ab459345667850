"""The calls of modules in one run, in the order in which they begin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    """The arguments by the names that `forward` gives them."""
    try:
        bound = _signature(type(module)).bind_partial(None, *args, **kwargs).arguments
    except (TypeError, ValueError):
        return {**{str(index): value for index, value in enumerate(args)}, **kwargs}
    found: dict[str, Any] = {}
    for name, value in list(bound.items())[1:]:
        kind = _signature(type(module)).parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        elif kind is inspect.Parameter.VAR_POSITIONAL:
            found.update({f"{name}.{index}": item for index, item in enumerate(value)})
        else:
            found[name] = value
    return found


def _signature(cls: Any) -> inspect.Signature:
    if cls not in _SIGNATURES:
        _SIGNATURES[cls] = inspect.signature(cls.forward)
    return _SIGNATURES[cls]


_SIGNATURES: dict[Any, inspect.Signature] = {}
