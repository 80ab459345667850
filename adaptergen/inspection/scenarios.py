"""The scenarios of a trace: which modules are called in each, and what is used without a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from adaptergen.facts import Call, Functional, Trace
from adaptergen.facts.model import SCENARIOS, Scenario
from adaptergen.inspection import runs
from adaptergen.inspection.calls import Calls, recording
from adaptergen.inspection.dims import POS, Sizes
from adaptergen.inspection.failures import reason
from adaptergen.inspection.names import imported_as
from adaptergen.inspection.places import Layout, Place
from adaptergen.inspection.values import Run
from adaptergen.inspection.watch import Use, watching


@dataclass
class Traced:
    """All scenarios of one model."""

    traces: dict[Scenario, Trace] = field(default_factory=dict)
    uses: dict[Scenario, list[Use]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)


def trace(layout: Layout, sizes: Sizes, brief: bool = False) -> Traced:
    """Run every scenario once. One that raises is told as such, and stops no other.

    If `brief`, what a module takes and returns is that of the first scenario that calls it.
    """
    model = layout.model
    ids = runs.tokens(model)
    rows = len(ids)
    traced = Traced()
    before: dict[str, Any] = {}

    def prefill() -> Any:
        output = runs.forward(model, ids, use_cache=True)
        name, cache = runs.kept(output)
        before.update({name: cache} if name else {})
        return output

    def decode() -> Any:
        if not before:
            raise LookupError("the forward returns no cache")
        return runs.forward(model, ids[:, -1:], use_cache=True, **before)

    def padded() -> Any:
        return runs.forward(model, ids, use_cache=True, attention_mask=runs.padding_mask(ids))

    whole, step = Run(sizes, rows, POS), Run(sizes, rows, 1, POS)
    functions: dict[Scenario, tuple[Callable[[], Any], Run]] = {
        "prefill": (prefill, whole),
        "decode": (decode, step),
        "no_cache": (lambda: runs.plain(model), whole),
        "padded": (padded, whole),
    }
    first = layout.places(first_only=True)
    known: dict[Place, Call] = {}
    with watching(model) as seen:
        for scenario in SCENARIOS:
            function, run = functions[scenario]
            seen.clear()
            try:
                with recording(first, run, known) as calls:
                    output = function()
            except Exception as error:  # code of transformers may raise anything
                traced.traces[scenario] = Trace(error=reason(error))
                continue
            known |= calls.made if brief else {}
            traced.uses[scenario] = seen.functional()
            traced.touched |= seen.touched
            traced.traces[scenario] = Trace(
                returns=run.describe(output),
                outside=tuple(_outside(layout, calls)),
                inside={kind.name: calls.of(kind.name) for kind in layout.kinds},
            )
    return traced


def functional(layout: Layout, traced: Traced) -> tuple[Functional, ...]:
    """What is used without a call of its module, by kind of layer."""
    places = {id(module): place for module, place in layout.places().items()}
    found: dict[tuple[str, str, str], tuple[Use, set[Scenario]]] = {}
    for scenario, uses in traced.uses.items():
        for use in uses:
            place = places.get(use.module)
            if place is not None:
                name = f"{place.path}.{use.parameter}" if place.path else use.parameter
                _, scenarios = found.setdefault((place.kind, name, use.function), (use, set()))
                scenarios.add(scenario)
    return tuple(
        Functional(
            kind=kind,
            parameter=name,
            module=name.rpartition(".")[0],
            function=function,
            how=use.how,
            scenarios=tuple(s for s in SCENARIOS if s in scenarios),
            file=imported_as(use.file),
            line=use.line,
        )
        for (kind, name, function), (use, scenarios) in sorted(found.items(), key=lambda i: i[0])
    )


def unused(layout: Layout, traced: Traced) -> tuple[str, ...]:
    """Modules with parameters of their own that no scenario calls and nothing uses."""
    touched: set[Place] = set()
    owning: set[Place] = set()
    for module, place in layout.places().items():
        if id(module) in traced.touched:
            touched.add(place)
        if any(p is not None for p in module._parameters.values()):
            owning.add(place)
    return tuple(sorted(f"{place.kind}:{place.path}" for place in owning - touched))


def _outside(layout: Layout, calls: Calls) -> Iterable[Call]:
    layers = False
    for place in calls.order:
        if place not in calls.made:
            continue
        path = place.path
        if place.kind:
            if layers or path:
                continue
            layers, path = True, f"{layout.path}.*"
        yield calls.made[place].model_copy(update={"path": path})
