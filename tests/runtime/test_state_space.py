"""State-space mixers: what the analyses take of a padded row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from runtime_support import torch

from transformer_lens.ActivationCache import ActivationCache
from transformer_lens.model_bridge.generalized_components.state_space import StateSpaceMixerBridge


def without_padding(bias: Any, **held: Any) -> Any:
    """The cache that the analyses get of layer 3, whose projection has a bias or none."""
    projection = SimpleNamespace(original_component=SimpleNamespace(bias=bias))
    named = {f"blocks.3.mixer.{name}.hook_out": value for name, value in held.items()}
    cache = ActivationCache(named, None)
    mixer: Any = SimpleNamespace(in_proj=projection)
    return cache, StateSpaceMixerBridge._without_padding(mixer, cache, 3)


@pytest.mark.parametrize("bias", [None, torch.tensor([2.0, 3.0])])
def test_padding_is_what_the_projection_makes_of_zeros(bias: Any) -> None:
    projected = torch.ones(1, 4, 2)
    projected[0, :2] = 0 if bias is None else bias
    convolved = torch.full((1, 5, 4), 7.0)
    cache, scanned = without_padding(bias, in_proj=projected, conv1d=convolved)
    name = "blocks.3.mixer.conv1d.hook_out"
    assert not scanned[name][..., :2].any()
    assert scanned[name][..., 2:].eq(7).all()
    # The cache of the user is left as it is.
    assert cache[name].eq(7).all()
    assert scanned["blocks.3.mixer.in_proj.hook_out"] is projected


@pytest.mark.parametrize("held", ["in_proj", "conv1d"])
def test_a_cache_that_misses_something_is_handed_on(held: str) -> None:
    cache, scanned = without_padding(None, **{held: torch.ones(1, 4, 2)})
    assert scanned is cache
