"""Whether a checkpoint's weights are those of its model."""

from __future__ import annotations

import traceback
from typing import Any


def load_checked(model_class: Any, checkpoint: str, **options: Any) -> tuple[Any, dict[str, str]]:
    """The model, and by name each weight that did not load, with what became of it.

    What transformers forgives by its own rules is left out: tied weights, and names that the class
    ignores. There is no model where weights could not be converted.
    """
    try:
        model, report = model_class.from_pretrained(
            checkpoint, output_loading_info=True, ignore_mismatched_sizes=True, **options
        )
    except RuntimeError as error:
        # Of failed conversions there is no report but the one in the frames that raised.
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        reports = [frame.f_locals.get("loading_info") for frame in frames]
        reports = [report for report in reports if getattr(report, "conversion_errors", None)]
        if not reports:
            raise
        model, report = None, vars(reports[0])
    new = "newly initialised"
    faults = dict.fromkeys(report["missing_keys"], f"missing in the checkpoint, {new}")
    for name in report["unexpected_keys"]:
        faults[name] = "unexpected: the model has no such weight"
    for name, stored, wanted in report["mismatched_keys"]:
        shapes = f"{list(stored)} in the checkpoint, {list(wanted)} in the model"
        faults[name] = f"mismatched: {shapes}, {new}"
    for name, text in report.get("conversion_errors", {}).items():
        # A traceback, what was raised, and a line that says for which weight.
        reason = text.strip().splitlines()[-2:][0]
        faults[name] = f"not converted: {reason}"
    return model, dict(sorted(faults.items()))
