"""Weights: their shapes, held against the dimensions of hooks; that they survive a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from adaptergen.plan.node import Node
from adaptergen.verify.checks.paths import modules
from adaptergen.verify.findings import MODEL, Finding, Spot
from adaptergen.verify.owner import mend_of_shape
from adaptergen.verify.subject import Subject
from adaptergen.verify.target import Target


@dataclass(frozen=True)
class Weight:
    """The features of a component's module, by the hooks that hold them.

    `of_last` says that they are those of the last axis alone, as a norm of each head has them.
    """

    layer: int | None
    name: str
    node: Node
    features: dict[str, int]
    of_last: bool


def check_weight_shapes(subject: Subject, weights: Sequence[Weight]) -> None:
    """Weights against the features of the hooks before and after, on every layer.

    Tells for modules whose weight says how many features go in and come out.
    """
    for weight in weights:
        layer, name = weight.layer, weight.name
        for hook, number in weight.features.items():
            point = next((point for point in weight.node.hooks if point.name == hook), None)
            if point is None:
                continue
            features = [axis for axis in point.axes if not {"batch", "pos"} & set(axis.names)]
            if weight.of_last:
                features = features[-1:]
            sizes = [subject.axis(axis, 1, 1) for axis in features]
            known = [size for size in sizes if size is not None]
            subject.sheet.count("weights")
            if not features or (len(known) == len(sizes) and prod(known) == number):
                continue
            kind = MODEL if layer is None else subject.kinds[layer]
            expected = f"{' * '.join(f'({axis})' for axis in features)} = {prod(known)}"
            what = f"the weight of {name} has not the features of {name}.{hook}"
            mend = mend_of_shape(
                subject, kind, f"{name}.{hook}", point.file, len(known) < len(sizes)
            )
            spot = Spot.of(point, layer, kind, f"{name}.{hook}")
            subject.find(Finding("weights", what, expected, str(number), mend, spot))


def collect_weights(target: Target, model: Any, kinds: Sequence[str]) -> list[Weight]:
    """The features of every module that is to be wrapped."""
    plan = target.plan
    nodes = {kind.name: kind.node for kind in plan.kinds}
    around: list[tuple[int | None, Any, Sequence[Node]]] = [(None, model, plan.components)]
    for layer, kind in enumerate(kinds):
        tops = (*plan.shared, *([nodes[kind]] if kind in nodes else []))
        around.append((layer, model.get_submodule(plan.block.path)[layer], tops))
    return [
        Weight(layer, name, node, features_of(module), _scales(module))
        for layer, holder, tops in around
        for top in tops
        for name, node, module in modules(top, holder, model.config)
    ]


def _scales(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    return isinstance(weight, torch.Tensor) and weight.ndim == 1


def features_of(module: Any) -> dict[str, int]:
    """Features before and after a module, by the hooks that hold them; nothing if untold."""
    weight = getattr(module, "weight", None)
    if isinstance(module, torch.nn.Linear):
        return {"hook_in": module.in_features, "hook_out": module.out_features}
    if isinstance(module, Conv1D):
        return {"hook_in": module.weight.shape[0], "hook_out": module.weight.shape[1]}
    if isinstance(module, torch.nn.Conv1d):
        return {"hook_in": module.in_channels, "hook_out": module.out_channels}
    if isinstance(module, torch.nn.Embedding):
        return {"hook_out": module.embedding_dim}
    if _scales(module):
        return dict.fromkeys(("hook_in", "hook_out"), len(module.weight))
    if isinstance(weight, torch.Tensor) and weight.ndim == 2:
        # A router, which hands its weight to a linear function.
        return {"hook_in": weight.shape[1], "hook_out": weight.shape[0]}
    return {}


def check_round_trip(subject: Subject) -> None:
    """Weights that are changed and loaded come out as they were loaded; then it is undone."""
    bridge = subject.bridge
    before = {name: weight.clone() for name, weight in bridge.state_dict().items()}
    changed = {
        name: weight + 0.01 if weight.is_floating_point() else weight
        for name, weight in before.items()
    }
    bridge.load_state_dict(changed)
    after = bridge.state_dict()
    lost = [name for name in changed if not torch.equal(after[name], changed[name])]
    bridge.load_state_dict(before)
    subject.sheet.count("weights", len(changed))
    if lost:
        what, mend = "weights do not survive a round trip", "mend the slots or paths of this kind"
        subject.find(Finding("weights", what, "unchanged", ", ".join(lost[:4]), mend))
