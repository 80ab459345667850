"""The model classes of a task, and everything that a survey measures of one of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.auto import modeling_auto

from adaptergen import resources
from adaptergen.behaviours import with_components
from adaptergen.catalogue.store import load as load_catalogue
from adaptergen.contract.models import quiet, undisturbed, wrap
from adaptergen.coverage import Measured, SurveyedClass, Task
from adaptergen.draft.bridge import unbound
from adaptergen.draft.draft import measured_draft, small_model
from adaptergen.generate import plan as plan_of
from adaptergen.inspection.fault_isolation import reason
from adaptergen.inspection.target import Target as Named
from adaptergen.inspection.target import load_class
from adaptergen.inspection.tiny_config import Settings
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.render.files import render_files
from adaptergen.survey.judge import judged
from adaptergen.survey.measure import Known, known, measure
from adaptergen.verify import tiers
from adaptergen.verify.target import Target, load_target, make_target
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.sources import _bridge_builder

_MAPPINGS: dict[Task, str] = {
    "causal-lm": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "seq2seq-lm": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "masked-lm": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
}


def classes_of(task: Task) -> list[str]:
    """The classes of the auto mapping, sorted; several types of model may share one."""
    return sorted(set(getattr(modeling_auto, _MAPPINGS[task]).values()))


def committed_specs() -> dict[str, Path]:
    """The specs that come with adaptergen, by the class that each is about."""
    paths = sorted(resources.specs().glob("*.yaml"))
    return {plan_of(path).spec.architecture: path for path in paths}


def surveyed(name: str, task: Task, spec: Path | None) -> SurveyedClass:
    """Everything that is measured of one class."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    try:
        with quiet():
            model, settings = small_model(load_class(Named(name)), {})
            found = known(model, generates=task != "masked-lm")
    except Failed as error:
        return SurveyedClass(name=name, error=error.problems[0].message)
    except Exception as error:  # models may raise anything
        return SurveyedClass(name=name, error=reason(error))
    return SurveyedClass(
        name=name,
        hf=found.hf,
        draft=_of_draft(found, settings),
        spec=_of_spec(found, spec) if spec else None,
        by_hand=_by_hand(found, name),
    )


def _of_draft(found: Known, settings: Settings) -> Measured:
    """The draft of this model, and what `verify` finds of it."""
    try:
        with quiet(), undisturbed():
            draft = measured_draft(copy.deepcopy(found.model), settings)
            plan = draft.plan
            target = make_target(plan, render_adapter(plan))
            render_files(plan, with_components(load_catalogue()[0]))
    except Failed as error:
        return judged(Measured(error=f"the draft: {error.problems[0].message}"))
    except Exception as error:  # what a draft makes of a model is not known before
        return judged(Measured(error=f"the draft: {reason(error)}"))
    return _of_target(found, target)


def _of_spec(found: Known, spec: Path) -> Measured:
    """A committed spec on this model, and what `verify` finds of it."""
    return _of_target(found, load_target(spec))


def _of_target(found: Known, target: Target) -> Measured:
    layers = (target.tables.model, target.tables.shared, *target.tables.kinds.values())
    switches = {hook.switch for layer in layers for hook in layer.hooks.values()}
    return measure(
        found,
        lambda model: wrap(target.architecture, target.adapter, model),
        # The others are switches of every bridge.
        switches=[name for name in sorted(switches) if name and not name.startswith("set_")],
        explain=lambda bridge: {path: why for path, why in unbound(bridge).items() if why},
        findings=_findings(target),
    )


def _findings(target: Target) -> tuple[str, ...]:
    """What `verify` finds, and so what the emitted tests do, but for what is of transformers."""
    found = [one for report in tiers.tiny(target) for one in report.findings if one.check != "hf"]
    return tuple(dict.fromkeys(f"{one.check}: {one.what}" for one in found))


def _by_hand(found: Known, name: str) -> Measured | None:
    """The adapter of TransformerLens on this model; None if it has none."""
    if name not in ArchitectureAdapterFactory._adapters:
        return None

    def bridge(model: Any) -> Any:
        config = model.config
        return _bridge_builder.build_bridge_from_module(
            model, name, hf_config=config, tokenizer=None, dtype=torch.float32, device="cpu"
        )

    return measure(found, bridge)


def warm() -> None:
    """Import once, and not in each process, what is imported when it is first used."""
    from adaptergen.inspection.fault_isolation import attempted

    attempted(surveyed, classes_of("causal-lm")[0], "causal-lm", None)
