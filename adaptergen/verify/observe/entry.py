"""An entry of a lock, from the installed transformers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import transformers

from adaptergen.contract import AdapterTables
from adaptergen.contract.models import undisturbed
from adaptergen.contract.tables import is_met
from adaptergen.inspection.observe import observe_config
from adaptergen.lock import entry as locked
from adaptergen.lock.reduce import fields
from adaptergen.verify.environment import HEAVY
from adaptergen.verify.models import hf_class
from adaptergen.verify.observe.model import ObservedModel, without_places
from adaptergen.verify.observe.named import hf_fields
from adaptergen.verify.target import Target


def release() -> str:
    """The installed releases, as a lock names them."""
    return f"{transformers.__version__}/{version(HEAVY['transformer_lens'])}"


def observe_entry(target: Target, known: locked.Entry | None = None) -> locked.Entry:
    """What the adapter rests on, as it is with the installed releases.

    `known` is another entry. Where a branch is apart from the first model in the same way, as far
    as modules of HF show it, the adapter is not used on it once more.
    """
    spec = target.plan.spec
    with undisturbed():
        first = ObservedModel(target, "default", {})
        first.use_adapter(lambda hook: True)
        branches = {
            name: _branch(target, first, ObservedModel(target, name, changes), known)
            for name, changes in spec.tiny.branches.items()
            if name in target.tables.configs(transformers.__version__)
        }
    config = observe_config(hf_class(target).config_class)
    return locked.Entry(
        model=_model(target, first, sorted({*config.fields, *config.aliases, *config.older})),
        config=fields(config, first.values(config), hf_fields(target)),
        cfg=first.cfg,
        kinds=first.reduction.kind_table(first.words),
        modules=first.reduction.modules(),
        hooks=first.hooks,
        order=first.order,
        branches=branches,
        logits=first.logits,
        raises=first.raises,
        error=first.error,
    )


def _model(target: Target, first: ObservedModel, names: list[str]) -> locked.Model:
    facts = first.facts
    returned = next((t.returns for t in facts.traces.values() if t.returns), None)
    return locked.Model(
        cls=_qualified(hf_class(target)),
        config=_qualified(hf_class(target).config_class),
        returns=first.reduction.told(returned) if returned else "",
        cache=facts.cache.cls,
        generation=without_places(facts.cache.error),
        layers=facts.layers_path,
        fields=tuple(names),
        told_by=told.attribute if (told := target.plan.spec.blocks.kind) else "",
        tied=tuple("=".join(same) for same in facts.tied),
    )


def _branch(
    target: Target, first: ObservedModel, other: ObservedModel, known: locked.Entry | None
) -> locked.Branch:
    """What is not as on the first tiny model.

    Of hooks those that the first does not have: what the others do is known.
    """

    def is_new(condition: str) -> bool:
        return is_met(condition, other.config) and not is_met(condition, first.config)

    base, found = first.reduction.modules(), other.reduction.modules()
    branch = locked.Branch(
        logits=other.logits,
        raises=other.raises,
        modules=_changed(base, found),
        lacks=_gone(base, found),
    )
    before = known.branches.get(other.name) if known else None
    apart = (branch.modules, branch.lacks)
    if before and not before.error and (before.modules, before.lacks) == apart:
        return branch.model_copy(update={"hooks": before.hooks})
    if any(map(is_new, _conditions(target.tables))):
        other.use_adapter(lambda hook: is_new(hook.contract.when))
    return branch.model_copy(update={"hooks": other.hooks, "error": other.error})


def _conditions(tables: AdapterTables) -> set[str]:
    layers = [tables.model, tables.shared, *tables.kinds.values()]
    return {hook.when for layer in layers for hook in layer.hooks.values()}


def _qualified(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


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
