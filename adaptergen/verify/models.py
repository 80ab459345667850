"""Models of transformers for a spec, and the bridge around one. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaptergen.contract import Finding, ModelReport, Spot, models
from adaptergen.contract.models import ModelUnderTest
from adaptergen.contract.reference import Work
from adaptergen.problems import quote, suggestion
from adaptergen.verify.findings import Disagreement
from adaptergen.verify.target import Target


def hf_class(target: Target) -> Any:
    """The class of transformers that the spec is about."""
    return models.hf_class(target.plan.spec.architecture)


def hf_config(target: Target, fields: Mapping[str, Any]) -> Any:
    """A config with these fields; attention is eager, as TransformerLens sets it."""
    return models.hf_config(target.plan.spec.architecture, fields)


def config_of_file(target: Target, fields: Mapping[str, Any]) -> Any:
    """The same for the fields of a config.json, which may be those of an older release."""
    return hf_class(target).config_class.from_dict(dict(fields), attn_implementation="eager")


def random_model(target: Target, config: Any, dtype: str = "float32", device: str = "cpu") -> Any:
    """A model with random weights, the same each time; on `meta` without any."""
    return models.random_model(target.plan.spec.architecture, config, dtype, device)


def bridge_config(target: Target, model: Any, name: str) -> Any:
    """The config that TransformerLens makes of a model's, before an adapter has a say."""
    architecture = target.plan.spec.architecture
    return models.bridge_config(architecture, model.config, name, model.dtype)


def wrap(target: Target, model: Any, name: str) -> Any:
    """The bridge around a model, with the target's adapter. The model is changed in place."""
    return models.wrap(target.plan.spec.architecture, target.adapter, model, name)


def wrapped(
    target: Target,
    model: Any,
    report: ModelReport,
    work: Work | None = None,
    keep_spare: bool = False,
) -> ModelUnderTest:
    """A model under test; HF's is run if there is work, and changed in place."""
    return ModelUnderTest.of(target.tables, target.adapter, model, report, work, keep_spare)


def layer_kinds(target: Target, model: Any) -> list[str]:
    """The kind of each layer of a model that is not wrapped, as HF's blocks tell it.

    A layer that the spec has no kind for is told as HF tells it. Raises `Disagreement` if HF's
    blocks do not tell it as the spec says.
    """
    told_by = target.tables.told_by
    for block in model.get_submodule(target.tables.blocks) if told_by else ():
        if not hasattr(block, told_by):
            what = f"{quote(type(block).__name__)} has no attribute {quote(told_by)}"
            known = [name for name in vars(block) if not name.startswith("_")]
            mend = suggestion(told_by, known) or "look the attribute up in transformers"
            line = target.line("blocks", "kind", "attribute")
            at = Spot(file=target.source.path, line=line)
            raise Disagreement(Finding("kinds", what, told_by, "nothing", mend, at))
    return list(models.layer_kinds(target.tables, model))
