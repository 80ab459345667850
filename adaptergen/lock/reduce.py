"""The facts of a model cut down to what its adapter rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from adaptergen.facts import Branch as BranchFacts
from adaptergen.facts import Call, ConfigFacts, Parameter, Value
from adaptergen.facts import Kind as KindFacts
from adaptergen.facts import Module as ModuleFacts
from adaptergen.lock.declared import component_names
from adaptergen.lock.entry import OUTSIDE, Field, Kind, Module
from adaptergen.plan import Plan


def modules(plan: Plan, facts: BranchFacts, kinds: Sequence[str]) -> dict[str, dict[str, Module]]:
    """Modules by the spec's kind, of the first layer of each; `kinds` are those of all layers."""
    found = {OUTSIDE: _modules(facts, facts.modules, "", component_names(plan, OUTSIDE))}
    for kind in first_kinds(facts, kinds):
        name = kinds[kind.layers[0]]
        found[name] = _modules(facts, kind.modules, kind.name, component_names(plan, name))
    return found


def kind_table(facts: BranchFacts, kinds: Sequence[str], words: Sequence[str]) -> dict[str, Kind]:
    """What each of the spec's kinds is called, and what the cache keeps of it.

    `words` are what HF's blocks say they are.
    """
    table = {}
    for kind in first_kinds(facts, kinds):
        name = kinds[kind.layers[0]]
        cached = next((c for c in facts.cache.layers if c.kind == kind.name), None)
        table[name] = Kind(
            word=words[kind.layers[0]],
            layers=tuple(layer for layer, other in enumerate(kinds) if other == name),
            cache=cached.cls if cached else "",
            states={key: _axes(axes) for key, axes in cached.states.items()} if cached else {},
        )
    return table


def first_kinds(facts: BranchFacts, kinds: Sequence[str]) -> list[KindFacts]:
    """The kinds of the facts that have the first layer of a kind of the spec."""
    first = {kinds.index(name) for name in dict.fromkeys(kinds)}
    return [kind for kind in facts.kinds if kind.layers[0] in first]


def fields(
    facts: ConfigFacts, values: Mapping[str, object], wanted: Iterable[str]
) -> dict[str, Field]:
    """Fields of the config, or names that it takes for one; `values` are of the tiny model."""
    found = {}
    for name in sorted(set(wanted)):
        target = facts.aliases.get(name) or facts.older.get(name, "")
        known = facts.fields.get(target or name)
        if known is None and name not in values and name not in facts.older:
            continue
        found[name] = Field(
            type=known.type if known else "",
            default="" if known is None or known.required else repr(known.default),
            alias_of=target,
            value=repr(values[name]) if name in values else "",
        )
    return found


def _modules(
    facts: BranchFacts, found: Sequence[ModuleFacts], kind: str, bound: Mapping[str, str]
) -> dict[str, Module]:
    calls = {
        scenario: {
            call.path: call for call in _calls(trace.inside.get(kind) if kind else trace.outside)
        }
        for scenario, trace in facts.traces.items()
        if not trace.error
    }
    return {
        module.path: Module(
            cls=module.cls,
            identity=module.state == "identity",
            component=bound.get(module.path, ""),
            parameters={
                name: _shape(parameter) for name, parameter in sorted(module.parameters.items())
            },
            called=tuple(name for name, made in calls.items() if module.path in made),
            **_in_and_out(module.path, list(calls.values())),
            used_by=tuple(
                sorted(
                    {
                        used.function
                        for used in facts.functional
                        if (used.kind, used.module) == (kind, module.path)
                    }
                )
            ),
        )
        for module in found
    }


def _calls(calls: Sequence[Call] | None) -> Sequence[Call]:
    return calls or ()


def _in_and_out(path: str, calls: Sequence[Mapping[str, Call]]) -> dict[str, str]:
    """Of the first scenario that calls it; what is None is as if it was not passed."""
    call = next((made[path] for made in calls if path in made), None)
    if call is None:
        return {}
    takes = [f"{name} {told(value)}" for name, value in call.takes.items() if value.type != "none"]
    return {"takes": ", ".join(takes), "returns": told(call.returns)}


def told(value: Value) -> str:
    """A value in few words: `[batch, pos, hidden_size]`, `(tensor, None)`, or its class."""
    if value.type == "tensor":
        return _axes(value.shape)
    if value.type in ("tuple", "list"):
        return f"({', '.join(map(told, value.items))})"
    if value.type == "none":
        return "None"
    return value.cls.rpartition(".")[2] or value.type


def _shape(parameter: Parameter) -> str:
    """With the config field of an axis, where there is just one that has its size."""
    sizes = parameter.sizes or ((),) * len(parameter.shape)
    named = [
        names[0] if len(names) == 1 else str(size)
        for size, names in zip(parameter.shape, sizes, strict=True)
    ]
    return _axes(named)


def _axes(axes: Iterable[str]) -> str:
    return f"[{', '.join(axes)}]"
