"""Weights as TransformerLens processes them for its compatibility mode: predictions stay."""

from __future__ import annotations

from typing import Any

import torch

from adaptergen.verify.findings import Finding, Sheet, Spot
from adaptergen.verify.models import wrap
from adaptergen.verify.quiet import quiet
from adaptergen.verify.subject import difference
from adaptergen.verify.target import Target

#: Float32 rounds otherwise when norms are folded into the weights after them.
WITHIN = 1e-5


def check_processing(target: Target, model: Any, tokens: torch.Tensor, sheet: Sheet) -> None:
    """Log probabilities in compatibility mode against HF's. Changes the model."""
    for weight in model.parameters():
        if weight.dim() == 1:  # those of norms and biases, which begin as ones or zeros
            weight.add_(torch.linspace(-0.5, 0.5, len(weight)))
    expected = model(tokens).logits.log_softmax(-1)
    with quiet():
        bridge = wrap(target, model, sheet.model)
        bridge.enable_compatibility_mode()
    apart = difference(bridge(tokens).log_softmax(-1), expected)
    if not apart <= WITHIN:
        what = "predictions in compatibility mode are not HF's"
        mend = (
            "TransformerLens computes MLPs itself there: write their activation here, `flags: "
            "{act_fn: silu}`; or it folds norms into a part of what reads them: write `adapter: "
            "{supports_fold_ln: false}`"
        )
        at = Spot(file=target.source.path, line=target.line("config"))
        sheet.findings.append(Finding("weights", what, f"<= {WITHIN:g}", f"{apart:g}", mend, at))
