"""The facts of a model cut down to what its adapter rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from adaptergen.facts import Branch as BranchFacts
from adaptergen.facts import Call, ConfigFacts, Value
from adaptergen.facts import Kind as KindFacts
from adaptergen.facts import Module as ModuleFacts
from adaptergen.lock.declared import component_names
from adaptergen.lock.entry import OUTSIDE, SCENARIOS, Field, Kind, Module
from adaptergen.plan.model import Plan

_NAME = re.compile(r"[A-Za-z_]\w*")


#: The size that a name of the config has on the tiny model, if it is one.
SizeOf = Callable[[str], object]


@dataclass(frozen=True)
class Reduction:
    """The facts of one tiny model; `kinds` are the spec's, of all its layers.

    Sizes are told as numbers: several names may have one size, and which of them a fact has may
    change with a field that has nothing to do with it.
    """

    plan: Plan
    facts: BranchFacts
    kinds: Sequence[str]
    size_of: SizeOf

    def modules(self) -> dict[str, dict[str, Module]]:
        """Modules by the spec's kind, of the first layer of each."""
        outside = component_names(self.plan, OUTSIDE)
        found = {OUTSIDE: self._modules(self.facts.modules, "", outside)}
        for name, kind in self._first().items():
            found[name] = self._modules(kind.modules, kind.name, component_names(self.plan, name))
        return found

    def kind_table(self, words: Sequence[str]) -> dict[str, Kind]:
        """What each kind is called, and what the cache keeps of it.

        `words` are what HF's blocks say they are.
        """
        table = {}
        for name, kind in self._first().items():
            cached = next((c for c in self.facts.cache.layers if c.kind == kind.name), None)
            states = cached.states if cached else {}
            table[name] = Kind(
                word=words[kind.layers[0]],
                layers=tuple(layer for layer, other in enumerate(self.kinds) if other == name),
                cache=cached.cls if cached else "",
                states={key: self._axes(axes) for key, axes in states.items()},
            )
        return table

    def told(self, value: Value) -> str:
        """A value in few words: `[batch, pos, 32]`, `([batch, pos, 32], None)`, or its class."""
        if value.type == "tensor":
            return self._axes(value.shape)
        if value.type in ("tuple", "list"):
            return f"({', '.join(map(self.told, value.items))})"
        if value.type == "none":
            return "None"
        return value.cls.rpartition(".")[2] or value.type

    def _first(self) -> dict[str, KindFacts]:
        """The kind of the facts that has the first layer of each kind of the spec."""
        return {
            name: kind
            for name in dict.fromkeys(self.kinds)
            for kind in self.facts.kinds
            if self.kinds.index(name) in kind.layers
        }

    def _modules(
        self, found: Sequence[ModuleFacts], kind: str, bound: Mapping[str, str]
    ) -> dict[str, Module]:
        calls: dict[str, dict[str, Call]] = {}
        for scenario, trace in self.facts.traces.items():
            if not trace.error:
                made = trace.inside.get(kind, ()) if kind else trace.outside
                calls[scenario] = {call.path: call for call in made}
        users: dict[str, set[str]] = {}
        for used in self.facts.functional:
            if used.kind == kind:
                users.setdefault(used.module, set()).add(used.function)
        return {
            module.path: Module(
                cls=module.cls,
                identity=module.state == "identity",
                component=bound.get(module.path, ""),
                parameters=self._shapes(module, buffers=False),
                buffers=self._shapes(module, buffers=True),
                called=tuple(name for name in SCENARIOS if module.path in calls.get(name, ())),
                used_by=tuple(sorted(users.get(module.path, ()))),
                **self._in_and_out(module.path, calls),
            )
            for module in found
        }

    def _shapes(self, module: ModuleFacts, buffers: bool) -> dict[str, str]:
        return {
            name: self._axes(map(str, parameter.shape))
            for name, parameter in sorted(module.parameters.items())
            if parameter.buffer == buffers
        }

    def _in_and_out(self, path: str, calls: Mapping[str, Mapping[str, Call]]) -> dict[str, str]:
        """Of the first scenario that calls it; what is None is as if it was not passed."""
        call = next((made[path] for made in calls.values() if path in made), None)
        if call is None:
            return {}
        passed = {name: value for name, value in call.takes.items() if value.type != "none"}
        takes = [f"{name} {self.told(value)}" for name, value in passed.items()]
        return {"takes": ", ".join(takes), "returns": self.told(call.returns)}

    def _axes(self, axes: Iterable[str]) -> str:
        numbered = (_NAME.sub(self._number, axis) for axis in axes)
        return f"[{', '.join(numbered)}]"

    def _number(self, name: re.Match[str]) -> str:
        size = self.size_of(name.group())
        return str(size) if type(size) is int else name.group()


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
