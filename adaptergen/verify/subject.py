"""A wrapped model with all that checks need of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from adaptergen.plan import Plan
from adaptergen.plan.node import Node
from adaptergen.spec.values import Dimension
from adaptergen.verify.findings import Finding, Sheet
from adaptergen.verify.promises import Promise, promises
from adaptergen.verify.target import Target


@dataclass(frozen=True)
class Subject:
    """A bridge, the kinds of its layers, what is promised of it, and the sheet to fill."""

    target: Target
    bridge: Any
    kinds: tuple[str, ...]
    promised: tuple[Promise, ...]
    sheet: Sheet

    @property
    def plan(self) -> Plan:
        """The plan that both the adapter and the promises are made from."""
        return self.target.plan

    @property
    def hf_config(self) -> Any:
        """The config of the wrapped model."""
        return self.bridge.original_model.config

    def allowed(self, expected: torch.Tensor, decode: bool = False) -> float:
        """The largest difference from HF's logits that the spec allows, in a run or a step."""
        return allowed(self.target, self.bridge.cfg.dtype, expected, decode)

    def node(self, kind: str) -> Node:
        """What the layers of a kind bind beside what all have; the block if there are no kinds."""
        return next((k.node for k in self.plan.kinds if k.name == kind), self.plan.block)

    def find(self, *findings: Finding) -> None:
        """Note what is not as promised."""
        self.sheet.findings.extend(findings)

    def new_cache(self) -> Any:
        """An empty cache for this model."""
        return new_cache(self.hf_config)

    def axis(self, axis: Dimension, batch: int, pos: int) -> int | None:
        """An axis as a number; None if the config of neither side has a name in it."""
        cfg, hf, fields = self.bridge.cfg, self.hf_config, self.plan.cfg_fields
        for expression in axis.alternatives:
            values: dict[str, Any] = {
                name: getattr(cfg if name in fields else hf, name, None)
                for name in expression.names
            }
            values |= {n: v for n, v in (("batch", batch), ("pos", pos)) if n in values}
            if None not in values.values():
                return expression.value(values)
        return None

    def shape(self, promise: Promise, batch: int, pos: int) -> tuple[int | None, ...]:
        """The promised shape of a hook in a run over `[batch, pos]` tokens."""
        return tuple(self.axis(axis, batch, pos) for axis in promise.row.axes)


def make_subject(target: Target, bridge: Any, kinds: list[str], sheet: Sheet) -> Subject:
    """The subject of a bridge whose layers are of these kinds."""
    config = bridge.original_model.config
    promised = promises(target.plan, kinds, config, transformers.__version__)
    sheet.layers = len(kinds)
    for promise in promised:
        sheet.of_kind(promise.kind).declared.add(promise.row.name)
    return Subject(target, bridge, tuple(kinds), tuple(promised), sheet)


def allowed(target: Target, dtype: Any, expected: torch.Tensor, decode: bool = False) -> float:
    """The largest difference from these logits of HF: none."""
    return 0.0


def new_cache(config: Any) -> Any:
    """An empty cache for a model with this config."""
    return transformers.DynamicCache(config=config)


@contextmanager
def attributes(owner: Any, **values: object) -> Iterator[None]:
    """Attributes of an object set for a while."""
    before = {name: getattr(owner, name) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


def difference(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest absolute difference; infinite between shapes that differ or with NaN."""
    if actual.shape != expected.shape:
        return float("inf")
    if torch.equal(actual, expected):
        return 0.0
    apart = (actual.double() - expected.double()).abs().max().item()
    return float("inf") if apart != apart else float(apart)
