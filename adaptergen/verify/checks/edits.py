"""Whether an edit of a hook reaches the logits, as promised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from adaptergen.verify.promises import Promise, once
from adaptergen.verify.quiet import quiet
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject


def check_edits(subject: Subject, reference: Reference, chosen: Callable[[Promise], bool]) -> None:
    """Edit each hook that fires and is chosen once, on the first layer that has it."""
    bridge, tokens = subject.bridge, reference.work.tokens
    # Its own logits, which need not equal HF's to the last bit.
    plain = bridge(tokens)
    for promise in once(subject.promised):
        if not promise.fires or promise.name not in bridge.hook_dict or not chosen(promise):
            continue
        ran: list[bool] = []

        def edit(activation: Any, hook: Any, ran: list[bool] = ran) -> Any:
            ran.append(True)
            return edited(activation)

        with quiet():
            logits = bridge.run_with_hooks(tokens, fwd_hooks=[(promise.name, edit)])
        reaches = not torch.equal(logits, plain)
        subject.sheet.count("edits")
        # A hook that is silent has its finding already.
        if ran and reaches == (promise.state == "read_only"):
            hook = promise.row.name
            if reaches:
                what, mend = f"an edit of {hook} reaches the logits", "delete `is: read_only`"
            else:
                what = f"an edit of {hook} does not reach the logits"
                mend = "add `contract: {is: read_only, reason: ...}`"
            words = ("reaches the logits", "does not")
            subject.find(promise.finding("edits", what, words[reaches], words[not reaches], mend))


def edited(activation: Any) -> Any:
    """Another value that the model can use in its place."""
    if activation.is_floating_point() or activation.is_complex():
        return 1.5 * activation + 0.5
    return (activation + 1) % (activation.max() + 1)
