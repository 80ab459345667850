"""An entry of a lock, observed with the installed transformers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from typing import Any

import transformers

from adaptergen.contract.models import undisturbed
from adaptergen.contract.tables import is_met
from adaptergen.inspection.config_fields import observe_config
from adaptergen.inspection.fault_isolation import failed, guarded
from adaptergen.inspection.runs import imported_as
from adaptergen.inspection.target import Target as ModelClass
from adaptergen.inspection.target import load_class
from adaptergen.lock.entry import Branch, Entry, Model
from adaptergen.observe.model import ObservedModel, without_places
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.verify.environment import HEAVY
from adaptergen.verify.target import Target, make_target


def release() -> str:
    """The installed releases, as a lock names them."""
    return f"{transformers.__version__}/{version(HEAVY['transformer_lens'])}"


def observe_entry(target: Target, known: Entry | None = None) -> Entry:
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
    config = observe_config(target.hf_class.config_class)
    return Entry(
        model=_model(target, first, sorted({*config.fields, *config.aliases, *config.older})),
        config=first.config_fields(config),
        cfg=first.cfg,
        kinds=first.kind_table(),
        modules=first.modules(),
        hooks=first.hooks,
        order=first.order,
        branches=branches,
        logits=first.logits,
        raises=first.raises,
        error=first.error,
    )


def _model(target: Target, first: ObservedModel, names: list[str]) -> Model:
    facts, kind_source = first.facts, target.plan.spec.blocks.kind
    returned = next((t.returns for t in facts.traces.values() if t.returns), None)
    return Model(
        cls=_qualified(target.hf_class),
        config=_qualified(target.hf_class.config_class),
        returns=first.summary(returned) if returned else "",
        cache=facts.cache.cls,
        generation=without_places(facts.cache.error),
        layers=facts.layers_path,
        fields=tuple(names),
        told_by=kind_source.attribute if kind_source else "",
        tied=tuple("=".join(same) for same in facts.tied),
    )


def _branch(
    target: Target, first: ObservedModel, other: ObservedModel, known: Entry | None
) -> Branch:
    """What is not as on the first tiny model.

    Of hooks those that the first does not have: what the others do is known.
    """

    def is_new(condition: str) -> bool:
        return is_met(condition, other.config) and not is_met(condition, first.config)

    base, found = first.modules(), other.modules()
    branch = Branch(
        logits=other.logits,
        raises=other.raises,
        modules=_not_empty(
            (
                kind,
                {path: one for path, one in items.items() if base.get(kind, {}).get(path) != one},
            )
            for kind, items in found.items()
        ),
        lacks=_not_empty(
            (kind, tuple(path for path in items if path not in found.get(kind, {})))
            for kind, items in base.items()
        ),
    )
    before = known.branches.get(other.name) if known else None
    apart = (branch.modules, branch.lacks)
    if before and not before.error and (before.modules, before.lacks) == apart:
        return branch.model_copy(update={"hooks": before.hooks})
    layers = [target.tables.model, target.tables.shared, *target.tables.kinds.values()]
    if any(is_new(hook.when) for layer in layers for hook in layer.hooks.values()):
        other.use_adapter(lambda hook: is_new(hook.contract.when))
    return branch.model_copy(update={"hooks": other.hooks, "error": other.error})


def _qualified(cls: Any) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _not_empty(by_kind: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {kind: items for kind, items in by_kind if items}


#: What a release does to a model, and not what is missing here.
BROKEN = frozenset({"hf-class", "hf-config", "hf-forward"})


def observed(plan: Plan, known: Entry | None = None) -> Entry:
    """What is observed for a spec; see `observe_entry` for `known`.

    It may take any time and do anything, so it is to be run apart. Raises `Failed` with a code of
    `hf-`.
    """
    architecture = plan.spec.architecture
    load_class(ModelClass(architecture))
    text = render_adapter(plan)
    what = f"the adapter of {architecture} cannot be imported"
    hint = "install versions of transformers and transformer-lens that the spec was verified with"
    target = guarded("hf-import", what, hint, lambda: make_target(plan, text))
    what = f"{architecture} cannot be observed on its tiny model"
    hint = (
        f"run `adaptergen inspect {architecture}`: in this release layers, or what says their "
        f"kinds, may be elsewhere than {plan.at().file} says"
    )
    entry: Entry = guarded("hf-forward", what, hint, lambda: observe_entry(target, known))
    return entry


def not_usable(plan: Plan, entry: Entry) -> Failed:
    """The adapter cannot be used on what was observed."""
    message = f"the adapter of {plan.spec.architecture} cannot be used: {entry.error}"
    return failed("hf-forward", message, f"run `adaptergen verify {plan.at().file}`")


@lru_cache(maxsize=1024)
def locate(qualified: str) -> str:
    """`transformers/models/x/modeling_x.py:120` for a qualified name; empty if it is not found."""
    found = _find(qualified)
    if found is None:
        return ""
    try:
        file = inspect.getsourcefile(found)
        line = inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        return ""
    return f"{imported_as(file)}:{line}" if file else ""


def _find(qualified: str) -> Any:
    parts = qualified.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        module = sys.modules.get(name)
        if module is None and parts[0] == "transformers":
            try:
                module = import_module(name)
            except ImportError:
                continue
        if module is not None:
            found: Any = module
            for part in parts[end:]:
                found = getattr(found, part, None)
            return inspect.unwrap(found) if callable(found) else None
    return None
