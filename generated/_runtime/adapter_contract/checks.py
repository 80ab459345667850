"""All checks of models, by name, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import checks_hooks, checks_logits, checks_model, identities, state_space
from .findings import Finding
from .models import ModelUnderTest
from .tables import AdapterTables, component

Check = Callable[[ModelUnderTest], Iterator[Finding]]

#: On every model, also where nothing is run.
LOOK: dict[str, Check] = {
    "dimensions": checks_model.check_dimensions,
    "flags": checks_model.check_flags,
    "weights": checks_model.check_weight_shapes,
    "offered hooks": checks_hooks.check_offered,
}
#: On every model that is run, however large.
CHECKPOINT: dict[str, Check] = {
    **LOOK,
    "parity": checks_logits.check_parity,
    "fired hooks": checks_hooks.check_fired,
    "generation": checks_logits.check_generation,
}
#: On one that is run as often as there are hooks.
RUN: dict[str, Check] = {
    **CHECKPOINT,
    "residuals": identities.check_residuals,
    "decode": checks_hooks.check_decode,
    "edits": checks_hooks.check_edits,
}
#: On every tiny model: HF's own runs first.
TINY: dict[str, Check] = {
    "kinds": checks_model.check_kinds,
    "hf itself": checks_logits.check_hf_itself,
    **RUN,
    "copied dimensions": checks_model.check_copies,
    "norms": identities.check_norms,
    "attention": identities.check_attention,
    "heads": identities.check_heads,
    "mlps": identities.check_mlps,
    "experts": identities.check_experts,
    "slices": checks_hooks.check_slices,
}
#: On the first of them too.
FIRST: dict[str, Check] = {
    **TINY,
    "tokens of a call": checks_hooks.check_call_tokens,
    "hooks on request": checks_hooks.check_on_request,
    "training": checks_hooks.check_training,
    "isolation": checks_hooks.check_isolation,
    "state space": state_space.check_state_space,
    "padded state space": state_space.check_padded_state_space,
    "round trip": checks_model.check_round_trip,
    "components alone": checks_logits.check_components,
    "processed weights": checks_logits.check_processing,
    "offloaded weights": checks_logits.check_offloaded,
    "offloaded state space": state_space.check_offloaded_state_space,
}


def _has_fields(tables: AdapterTables) -> bool:
    return bool(tables.carried or tables.derived or tables.listed_in)


def _has_hook(tables: AdapterTables, end: str) -> bool:
    layers = (tables.shared, *tables.kinds.values())
    return any(name.endswith(end) for layer in layers for name in layer.hooks)


def _has_state_space(tables: AdapterTables) -> bool:
    layers = (tables.shared, *tables.kinds.values())
    classes = (component(line)[0] for layer in layers for line in layer.components.values())
    return any(cls.endswith(("StateSpaceMixerBridge", "SSM2MixerBridge")) for cls in classes)


#: What tables have to promise: without, the check would look at nothing, and could not fail.
NEEDS: dict[str, Callable[[AdapterTables], bool]] = {
    "dimensions": _has_fields,
    "copied dimensions": _has_fields,
    "kinds": lambda tables: bool(tables.kinds),
    "components alone": lambda tables: bool(tables.kinds),
    "attention": lambda tables: _has_hook(tables, "hook_pattern"),
    "heads": lambda tables: _has_hook(tables, "o.hook_in"),
    "experts": lambda tables: _has_hook(tables, "gate.hook_expert_weights"),
    "slices": lambda tables: "pos_slice" not in tables.lacks,
    "round trip": lambda tables: "load_state_dict" not in tables.lacks,
    "offloaded weights": lambda tables: "offload" not in tables.lacks,
    "state space": _has_state_space,
    "padded state space": _has_state_space,
    "offloaded state space": lambda tables: (
        "offload" not in tables.lacks and _has_state_space(tables)
    ),
}


def of_branch(tables: AdapterTables, branch: str) -> dict[str, Check]:
    """The checks of a tiny model that have something to look at."""
    checks = FIRST if branch == "default" else TINY
    return {name: one for name, one in checks.items() if name not in NEEDS or NEEDS[name](tables)}
