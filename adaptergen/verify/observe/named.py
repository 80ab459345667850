"""The fields of configs that a spec names: of HF's, and of TransformerLens'."""

from __future__ import annotations

from adaptergen.plan.model import layer_tables
from adaptergen.spec.arithmetic import TOKEN_AXES
from adaptergen.verify.target import Target


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
