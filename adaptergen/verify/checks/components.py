"""The component of a kind called by itself, beside HF's module."""

from __future__ import annotations

from typing import Any

import torch
from transformer_lens.benchmarks.component_outputs import ComponentBenchmarker

from adaptergen.verify.findings import Finding, Spot
from adaptergen.verify.subject import Subject


def check_components(subject: Subject, model: Any) -> None:
    """Hand the same hidden states to the component in the slot of each layer and to HF's module.

    `model` is another copy of HF's model, which nothing wraps.
    """
    bridge, kinds = subject.bridge, {kind.name: kind for kind in subject.plan.kinds}
    if not kinds:
        return
    # It draws what it hands to components.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        benchmark = ComponentBenchmarker(bridge, model, bridge.adapter, bridge.cfg)
        results = benchmark.benchmark_all_components().component_results
    found = {result.component_path: result for result in results}
    for layer, name in enumerate(subject.kinds):
        if name in subject.plan.rotary_kinds:
            continue  # TransformerLens leaves out what needs the angles of the rotation.
        path = f"blocks.{layer}.{kinds[name].slot}"
        subject.sheet.count("components alone")
        result = found.get(path)
        if result is None or not result.passed:
            what = f"{kinds[name].slot} called by itself does not return what HF's module returns"
            measured = "not called" if result is None else f"{result.max_diff:g}"
            if result is not None and result.error_message:
                measured = " ".join(str(result.error_message).split())[:200]
            mend = "look at what it takes from the call of the whole layer"
            spot = Spot.of(subject.node(name), layer, name)
            subject.find(Finding("components", what, "0", measured, mend, spot))
