"""The lists of names that a spec cannot give, held against what has these names."""

from __future__ import annotations

import pytest

from adaptergen.resources import reserved_names


@pytest.mark.heavy
def test_attributes_of_components() -> None:
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    component = GeneralizedComponent("x")
    names = {name for name in dir(component) if not name.startswith("_")}
    # While it makes a model, HF adds a method to every module for good.
    assert names - {"smart_apply"} == reserved_names("component")


@pytest.mark.heavy
def test_methods_of_configs() -> None:
    from transformers import PreTrainedConfig

    from transformer_lens.config import TransformerBridgeConfig

    for cls in (TransformerBridgeConfig, PreTrainedConfig):
        methods = {
            name for name in dir(cls)
            if not name.startswith("_")
            and (callable(getattr(cls, name)) or isinstance(getattr(cls, name), property))
        }  # fmt: skip
        assert methods <= reserved_names("config") | {"head_dim"}
