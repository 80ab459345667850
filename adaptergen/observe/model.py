"""One tiny model observed: the facts of HF's that its adapter rests on, then the hooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adaptergen.contract import ModelReport, tables
from adaptergen.contract.models import ModelUnderTest, hf_config, perturb, random_model
from adaptergen.facts import Branch as BranchFacts
from adaptergen.facts import Call, ConfigFacts, Value
from adaptergen.facts import Kind as KindFacts
from adaptergen.facts import Module as ModuleFacts
from adaptergen.inspection.fault_isolation import attempted, guarded
from adaptergen.inspection.observe import observe_model
from adaptergen.lock.declared import component_names
from adaptergen.lock.entry import OUTSIDE, SCENARIOS, Field, Kind, Module
from adaptergen.observe.hooks import Hooks, expected, kept, noted, observe_hooks
from adaptergen.plan.model import Plan, layer_tables
from adaptergen.spec.arithmetic import TOKEN_AXES
from adaptergen.verify.target import Target, layer_kinds

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

    def summary(self, value: Value) -> str:
        """A value in few words: `[batch, pos, 32]`, `([batch, pos, 32], None)`, or its class."""
        if value.type == "tensor":
            return self._axes(value.shape)
        if value.type in ("tuple", "list"):
            return f"({', '.join(map(self.summary, value.items))})"
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
        takes = [f"{name} {self.summary(value)}" for name, value in passed.items()]
        return {"takes": ", ".join(takes), "returns": self.summary(call.returns)}

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


_PLACE = re.compile(r" ?\(?(?:/[^\s():]+|0x[0-9a-fA-F]+)\)?")


def without_places(text: str) -> str:
    """A message without paths and addresses, which are those of a machine, and not too long."""
    return _PLACE.sub("", " ".join(text.split()))[:300]


class ObservedModel:
    """The tiny model of the spec with some fields changed.

    Raises `Failed` if its config cannot be made, whatever transformers raises when the model is
    built, and `RuntimeError` if none of its forwards runs. What the adapter raises, or that it
    computes something else than HF, is kept in `error`.
    """

    def __init__(self, target: Target, name: str, changes: Mapping[str, Any]) -> None:
        self._target, self.name = target, name
        self.config = guarded(
            "hf-config",
            f"the config of {target.plan.spec.architecture} cannot be made for its tiny model",
            f"check `tiny:` in {target.source.path} against this release of transformers",
            lambda: hf_config(target.architecture, {**target.plan.spec.tiny.config, **changes}),
        )
        self._model = random_model(target.architecture, self.config)
        perturb(self._model)
        with noted(self._model) as logits:
            # Generation is told once, of the first.
            self.facts = observe_model(self._model, name, generates=not changes)
        errors = [trace.error for trace in self.facts.traces.values()]
        if all(errors):
            raise RuntimeError(f"no forward of the tiny model {name} runs: {errors[0]}")
        self.raises: dict[str, str] = {
            name: without_places(trace.error)
            for name, trace in self.facts.traces.items()
            if trace.error
        }
        # Generation comes after the scenarios.
        ran = [name for name, trace in self.facts.traces.items() if not trace.error]
        self.logits = kept(dict(zip(ran, logits, strict=False)))
        self.kinds = layer_kinds(target, self._model)
        self.words = self._words()
        self.reduction = Reduction(target.plan, self.facts, self.kinds, self._size)
        self.hooks: Hooks = {}
        self.order: tuple[str, ...] = ()
        self.cfg: dict[str, str] = {}
        self.error = ""

    def use_adapter(self, wanted: Callable[[tables.Hook], bool]) -> None:
        """Wrap the model, which changes it, and observe the hooks that are wanted."""
        try:
            logits = expected(self._model)
            run = ModelUnderTest.of(
                self._target.tables, self._target.adapter, self._model, ModelReport(self.name)
            )
            found = observe_hooks(run, self._target.plan, logits, wanted)
        except Exception as error:  # an adapter of another release may raise anything
            self.error = without_places(f"{type(error).__name__}: {error}")
            return
        self.hooks, self.order = found.hooks, found.order
        if found.apart:
            self.error = f"its logits are not HF's in {' and in '.join(found.apart)}"
        names = sorted(cfg_fields(self._target))
        self.cfg = {name: repr(getattr(run.bridge.cfg, name, None)) for name in names}

    def values(self, facts: ConfigFacts) -> dict[str, object]:
        """Values of the fields that the spec names.

        What a config is made with and its class does not know is an attribute of it nevertheless;
        that does not count.
        """
        known = {*facts.fields, *facts.aliases, *facts.older}
        passed = self._target.plan.spec.tiny.config.keys() - known
        return {
            name: self._size(name)
            for name in hf_fields(self._target)
            if self._has(name) and (name not in passed or hasattr(type(self.config), name))
        }

    def _size(self, name: str) -> Any:
        """A value of the config; some raise for a field that only layers have."""
        return attempted(getattr, self.config, name, None)

    def _has(self, name: str) -> bool:
        return bool(attempted(hasattr, self.config, name))

    def _words(self) -> list[str]:
        """What each block says it is; nothing if blocks are told by what they hold."""
        told_in = self._target.plan.spec.blocks.kind
        blocks = self._model.get_submodule(self._target.plan.block.path)
        return [str(getattr(block, told_in.attribute)) if told_in else "" for block in blocks]


def hf_fields(target: Target) -> set[str]:
    """Fields of the HF config."""
    plan, spec = target.plan, target.plan.spec
    conditions = {
        node.condition.field for top in plan.nodes for _, node in top.walk() if node.condition
    }
    return {
        *spec.config.from_hf,
        *_kinds_field(target),
        *spec.tiny.config,
        *(name for changes in spec.tiny.branches.values() for name in changes),
        *conditions,
        *(name for name in _axis_names(target) if name not in plan.cfg_fields),
    }


def cfg_fields(target: Target) -> set[str]:
    """Fields of TL's config that come from the model: those of the spec, and those in shapes."""
    config = target.plan.spec.config
    named = {*config.from_hf, *config.derived, *_kinds_field(target)}
    return named | {name for name in _axis_names(target) if name in target.plan.cfg_fields}


def _kinds_field(target: Target) -> set[str]:
    told = target.plan.spec.blocks.kind
    return {told.listed_in} if told else set()


def _axis_names(target: Target) -> set[str]:
    plan = target.plan
    rows = [*plan.model_hooks, *(row for _, table in layer_tables(plan) for row in table)]
    return {n for row in rows for axis in row.axes for n in axis.names} - TOKEN_AXES
