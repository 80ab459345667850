"""One tiny model observed: the facts of HF's that its adapter rests on, then the hooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from adaptergen.contract import ModelReport, tables
from adaptergen.contract.models import ModelUnderTest, hf_config, perturb, random_model
from adaptergen.facts import Call, ConfigFacts, Value
from adaptergen.facts import Kind as KindFacts
from adaptergen.facts import Module as ModuleFacts
from adaptergen.inspection.fault_isolation import attempted, guarded
from adaptergen.inspection.observe import observe_model
from adaptergen.lock.declared import component_names
from adaptergen.lock.entry import OUTSIDE, SCENARIOS, Field, Kind, Module
from adaptergen.observe.hooks import Hooks, expected, kept, noted, observe_hooks
from adaptergen.plan.model import Plan
from adaptergen.spec.arithmetic import TOKEN_AXES
from adaptergen.verify.target import Target, layer_kinds

_NAME = re.compile(r"[A-Za-z_]\w*")
_PLACE = re.compile(r" ?\(?(?:/[^\s():]+|0x[0-9a-fA-F]+)\)?")


def without_places(text: str) -> str:
    """A message without paths and addresses, which are those of a machine, and not too long."""
    return _PLACE.sub("", " ".join(text.split()))[:300]


class ObservedModel:
    """The tiny model of the spec with some fields changed.

    Raises `Failed` if its config cannot be made, whatever transformers raises when the model is
    built, and `RuntimeError` if none of its forwards runs. What the adapter raises, or that it
    computes something else than HF, is kept in `error`.

    Sizes are reported as numbers: several names may have one size, and which of them a fact has
    may change with a field that has nothing to do with it. `kinds` are the spec's, of all layers.
    """

    def __init__(self, target: Target, name: str, changes: Mapping[str, Any]) -> None:
        self._target, self._plan, self.name = target, target.plan, name
        self.config = guarded(
            "hf-config",
            f"the config of {target.plan.spec.architecture} cannot be made for its tiny model",
            f"check `tiny:` in {target.plan.at().file} against this release of transformers",
            lambda: hf_config(target.architecture, {**target.plan.spec.tiny.config, **changes}),
        )
        self._model = random_model(target.architecture, self.config)
        perturb(self._model)
        with noted(self._model) as logits:
            # Generation is reported once, of the first.
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
            self.hooks, self.order, apart = observe_hooks(run, self._plan, logits, wanted)
        except Exception as error:  # an adapter of another release may raise anything
            self.error = without_places(f"{type(error).__name__}: {error}")
            return
        if apart:
            self.error = f"its logits are not HF's in {' and in '.join(apart)}"
        names = sorted(_cfg_fields(self._plan))
        self.cfg = {name: repr(getattr(run.bridge.cfg, name, None)) for name in names}

    def config_fields(self, facts: ConfigFacts) -> dict[str, Field]:
        """The fields of the config that the spec names, or names that it takes for one.

        What a config is made with and its class does not know is an attribute of it nevertheless;
        that does not count.
        """
        known = {*facts.fields, *facts.aliases, *facts.older}
        passed = self._plan.spec.tiny.config.keys() - known
        found = {}
        for name in sorted(_hf_fields(self._plan)):
            target = facts.aliases.get(name) or facts.older.get(name, "")
            field = facts.fields.get(target or name)
            has_value = attempted(hasattr, self.config, name) and (
                name not in passed or hasattr(type(self.config), name)
            )
            if field or has_value or name in facts.older:
                found[name] = Field(
                    type=field.type if field else "",
                    default="" if field is None or field.required else repr(field.default),
                    alias_of=target,
                    value=repr(self._size(name)) if has_value else "",
                )
        return found

    def _size(self, name: str) -> Any:
        """A value of the config; some raise for a field that only layers have."""
        return attempted(getattr, self.config, name, None)

    def modules(self) -> dict[str, dict[str, Module]]:
        """Modules by the spec's kind, of the first layer of each."""
        outside = component_names(self._plan, OUTSIDE)
        found = {OUTSIDE: self._modules(self.facts.modules, "", outside)}
        for name, kind in self._first().items():
            found[name] = self._modules(kind.modules, kind.name, component_names(self._plan, name))
        return found

    def kind_table(self) -> dict[str, Kind]:
        """What each kind is called by HF's blocks, and what the cache keeps of it."""
        kind_source = self._plan.spec.blocks.kind
        attribute = kind_source.attribute if kind_source else ""
        blocks = self._model.get_submodule(self._plan.block.path)
        table = {}
        for name, kind in self._first().items():
            cached = next((c for c in self.facts.cache.layers if c.kind == kind.name), None)
            states = cached.states if cached else {}
            table[name] = Kind(
                # Nothing if the kind follows from a submodule.
                word=str(getattr(blocks[kind.layers[0]], attribute)) if attribute else "",
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
        size = self._size(name.group())
        return str(size) if type(size) is int else name.group()


def _hf_fields(plan: Plan) -> set[str]:
    """Fields of the HF config."""
    spec = plan.spec
    conditions = {
        node.condition.field for top in plan.nodes for _, node in top.walk() if node.condition
    }
    return {
        *spec.config.from_hf,
        *_kinds_field(plan),
        *spec.tiny.config,
        *(name for changes in spec.tiny.branches.values() for name in changes),
        *conditions,
        *(name for name in _axis_names(plan) if name not in plan.cfg_fields),
    }


def _cfg_fields(plan: Plan) -> set[str]:
    """Fields of TL's config that come from the model: those of the spec, and those in shapes."""
    config = plan.spec.config
    named = {*config.from_hf, *config.derived, *_kinds_field(plan)}
    return named | {name for name in _axis_names(plan) if name in plan.cfg_fields}


def _kinds_field(plan: Plan) -> set[str]:
    kind_source = plan.spec.blocks.kind
    return {kind_source.listed_in} if kind_source else set()


def _axis_names(plan: Plan) -> set[str]:
    rows = (*plan.model_hooks, *plan.rows_of_layers)
    return {n for row in rows for axis in row.axes for n in axis.names} - TOKEN_AXES
