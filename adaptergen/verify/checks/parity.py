"""Logits equal to HF's in the same run: with and without a cache, and while hooks record."""

from __future__ import annotations

from typing import Any

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject, difference


def check_parity(subject: Subject, reference: Reference) -> Any:
    """Compare the logits; gives what `run_with_cache` recorded on the way."""
    bridge, tokens = subject.bridge, reference.work.tokens
    logits, cache = bridge.run_with_cache(tokens)
    uncached, _ = bridge.run_with_cache(tokens, use_cache=False)
    runs = {
        "plain": (bridge(tokens, use_cache=False), reference.uncached_logits),
        "with_cache": (bridge(tokens, use_cache=True), reference.logits),
        "run_with_cache": (logits, reference.logits),
        "run_with_cache_uncached": (uncached, reference.uncached_logits),
    }
    for run, (actual, expected) in runs.items():
        value, within = difference(actual, expected), subject.allowed(expected)
        subject.sheet.parity[run] = value
        if not value <= within:
            subject.find(_finding(subject, reference, cache, run, value, within))
    return cache


def _finding(
    subject: Subject, reference: Reference, cache: Any, run: str, value: float, within: float
) -> Finding:
    """The finding, at the first layer whose output is another than HF's."""
    mend = "compare what this layer's component computes with HF's module"
    what = f"logits differ from HF's ({run})"
    for promise in subject.promised:
        if promise.layer is not None and promise.row.name == "hook_out":
            after = cache.cache_dict.get(promise.name)
            expected = reference.residuals[promise.layer]
            if after is not None and difference(after, expected) > subject.allowed(expected):
                what += f", first after layer {promise.layer}"
                node = subject.node(promise.kind)
                spot = Spot.of(node, promise.layer, promise.kind, promise.row.name)
                return Finding("parity", what, f"<= {within:g}", f"{value:g}", mend, spot)
    return Finding("parity", what, f"<= {within:g}", f"{value:g}", mend)
