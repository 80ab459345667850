"""How far logits may be from HF's, by type."""

from __future__ import annotations

import pytest

from adaptergen.spec.architecture import Parity


@pytest.mark.parametrize(
    "dtype, plain, decode",
    [("float32", 1e-6, 1e-5), ("float16", 0.125, 0.125), ("bfloat16", 0.125, 1e-5 * 2**16)],
)
def test_allowed(dtype: str, plain: float, decode: float) -> None:
    parity = Parity(within=1e-6, decode_within=1e-5, coarser_within=0.125, reason="a reason")
    assert parity.allowed(dtype) == plain
    assert parity.allowed(dtype, decode=True) == decode


def test_coarser_types_alone() -> None:
    parity = Parity(coarser_within=0.125, reason="a reason")
    assert not parity.in_float32
    assert parity.allowed("float32") == 0
    assert parity.allowed("bfloat16") == 0.125


def test_what_is_allowed_grows_with_the_logits() -> None:
    parity = Parity(within=1e-6, coarser_within=0.125, reason="a reason")
    assert parity.allowed("float32", largest=0.1) == 1e-6
    assert parity.allowed("float32", largest=20) == 20 * 1e-6
    assert parity.allowed("bfloat16", largest=20) == 20 * 1e-6 * 2**16
    only_coarser = Parity(coarser_within=0.125, reason="a reason")
    assert only_coarser.allowed("float32", largest=20) == 0
    assert only_coarser.allowed("bfloat16", largest=20) == 0.125
