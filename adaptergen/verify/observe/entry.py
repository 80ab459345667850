"""An entry of a lock, from the installed transformers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import torch
import transformers

from adaptergen.facts import Branch as BranchFacts
from adaptergen.facts import ConfigFacts
from adaptergen.inspection import observe_branch, observe_config
from adaptergen.lock import entry as locked
from adaptergen.lock.reduce import fields, kind_table, modules, told
from adaptergen.plan.table import layer_tables
from adaptergen.verify.environment import HEAVY
from adaptergen.verify.findings import Sheet
from adaptergen.verify.models import hf_class, hf_config, layer_kinds, random_model, wrap
from adaptergen.verify.observe.hooks import Hooks, Order, observe_hooks
from adaptergen.verify.observe.numbers import number_weights
from adaptergen.verify.promises import holds
from adaptergen.verify.subject import make_subject
from adaptergen.verify.target import Target
from adaptergen.verify.tiers.steps import one_thread


def release() -> str:
    """The installed releases, as a lock names them."""
    return f"{transformers.__version__}/{version(HEAVY['transformer_lens'])}"


def observe_entry(target: Target) -> locked.Entry:
    """What the adapter rests on, as it is with the installed releases."""
    spec = target.plan.spec
    with torch.no_grad(), one_thread():
        first = _Observed(target, {}, "default")
        branches = {
            name: _branch(first, _Observed(target, changes, name))
            for name, changes in spec.tiny.branches.items()
            if holds(spec.tiny.releases.get(name), transformers.__version__)
        }
    facts, config = first.facts, observe_config(hf_class(target).config_class)
    trace = next((t for t in facts.traces.values() if not t.error), None)
    returned = told(trace.returns) if trace and trace.returns else ""
    return locked.Entry(
        model=locked.Model(
            cls=qualified(hf_class(target)),
            config=qualified(hf_class(target).config_class),
            returns=returned,
            cache=facts.cache.cls,
            layers=facts.layers_path,
            fields=tuple(sorted({*config.fields, *config.aliases, *config.older})),
            tied=tuple("=".join(names) for names in facts.tied),
        ),
        config=fields(config, _values(target, config, first.config), _fields(target)),
        cfg=first.cfg,
        kinds=kind_table(facts, first.kinds, first.words),
        modules=modules(target.plan, facts, first.kinds),
        hooks=first.hooks,
        order=first.order,
        branches=branches,
        error=first.error,
    )


def qualified(cls: Any) -> str:
    """The qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


class _Observed:
    """One tiny model: the facts of HF's, then the hooks of the wrapped one."""

    def __init__(self, target: Target, changes: Mapping[str, Any], name: str) -> None:
        self.target = target
        config = hf_config(target, {**target.plan.spec.tiny.config, **changes})
        model = random_model(target, config)
        number_weights(model)
        self.facts: BranchFacts = observe_branch(model, name)
        self.kinds = layer_kinds(target, model)
        self.words = _words(target, model)
        self.config = config
        self.hooks: Hooks = {}
        self.order: Order = ()
        self.cfg: dict[str, str] = {}
        self.error = ""
        try:
            bridge = wrap(target, model, name)
            self.hooks, self.order = observe_hooks(
                make_subject(target, bridge, self.kinds, Sheet(name))
            )
        except Exception as error:
            # An adapter of another release may raise anything.
            text = " ".join(str(error).split())[:300]
            self.error = f"{type(error).__name__}: {text}"
        else:
            names = _on_cfg(target)
            self.cfg = {name: repr(getattr(bridge.cfg, name, None)) for name in sorted(names)}


def _words(target: Target, model: Any) -> list[str]:
    """What each block says it is; nothing if blocks are told by what they hold."""
    told_in = target.plan.spec.blocks.kind
    blocks = model.get_submodule(target.plan.block.path)
    return [str(getattr(block, told_in.attribute)) if told_in else "" for block in blocks]


def _values(target: Target, facts: ConfigFacts, config: Any) -> dict[str, object]:
    """Values of the fields that the spec names, on the tiny config.

    What it is made with and its class does not know is an attribute of it nevertheless; that does
    not count.
    """
    known = {*facts.fields, *facts.aliases, *facts.older}
    passed = target.plan.spec.tiny.config.keys() - known
    found = {}
    for name in _fields(target):
        if name in passed and not hasattr(type(config), name):
            continue
        # Some configs raise for a field that only layers have.
        with suppress(Exception):
            found[name] = getattr(config, name)
    return found


def _branch(first: _Observed, other: _Observed) -> locked.Branch:
    """What is not as on the first tiny model; values are, as other weights give others."""
    plan = first.target.plan
    base = modules(plan, first.facts, first.kinds)
    found = modules(plan, other.facts, other.kinds)
    hooks = {
        k: {n: h.model_copy(update={"rms": None}) for n, h in v.items()}
        for k, v in first.hooks.items()
    }
    others = {
        k: {n: h.model_copy(update={"rms": None}) for n, h in v.items()}
        for k, v in other.hooks.items()
    }
    return locked.Branch(
        modules=_changed(base, found),
        lacks=_gone(base, found),
        hooks=_changed(hooks, others),
        without=_gone(hooks, others) if not other.error else {},
        error=other.error if other.error != first.error else "",
    )


def _changed(base: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    changed = {
        kind: {name: item for name, item in items.items() if base.get(kind, {}).get(name) != item}
        for kind, items in found.items()
    }
    return {kind: items for kind, items in changed.items() if items}


def _gone(base: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    gone = {
        kind: tuple(name for name in items if name not in found.get(kind, {}))
        for kind, items in base.items()
    }
    return {kind: names for kind, names in gone.items() if names}


def _axis_names(target: Target) -> Iterable[str]:
    plan = target.plan
    rows = [*plan.model_hooks, *(row for _, table in layer_tables(plan) for row in table)]
    return {n for row in rows for axis in row.axes for n in axis.names} - {"batch", "pos"}


def _on_cfg(target: Target) -> set[str]:
    """Fields of TL's config that come from the model: those of the spec, and those in shapes."""
    config = target.plan.spec.config
    told_in = target.plan.spec.blocks.kind
    named = {*config.from_hf, *config.derived, *([told_in.listed_in] if told_in else [])}
    return named | {name for name in _axis_names(target) if name in target.plan.cfg_fields}


def _fields(target: Target) -> set[str]:
    """Fields of the HF config that the spec names."""
    plan, spec = target.plan, target.plan.spec
    told_in = spec.blocks.kind
    conditions = {
        node.condition.field for top in plan.nodes for _, node in top.walk() if node.condition
    }
    return {
        *spec.config.from_hf,
        *([told_in.listed_in] if told_in else []),
        *spec.tiny.config,
        *(name for changes in spec.tiny.branches.values() for name in changes),
        *conditions,
        *(name for name in _axis_names(target) if name not in plan.cfg_fields),
    }
