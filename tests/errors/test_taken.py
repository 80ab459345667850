"""The lists of names that a spec cannot give, held against what has these names."""

from __future__ import annotations

import ast
import builtins
import re
from pathlib import Path

import pytest

from adaptergen.plan.taken import (
    BUILDERS,
    COMPONENT_ATTRIBUTES,
    CONFIG_METHODS,
    FUNCTIONAL_LOCALS,
)
from adaptergen.resources import templates

PARTS = "\n".join(
    path.read_text("utf-8")
    for path in [templates() / "adapter.py.jinja", *sorted(templates().glob("parts/*.jinja"))]
)
ADAPTER = "transformer_lens/model_bridge/supported_architectures/nemotron_h.py"
GENERATED = Path(__file__).parents[2] / "generated" / "nemotron_h" / ADAPTER


def test_functions_and_classes_of_the_adapter() -> None:
    named = re.findall(r"^(?:def |class )?(_\w+)(?: = |\()", PARTS, re.MULTILINE)
    assert named
    assert set(named) <= BUILDERS


def test_names_around_the_functions_of_a_convolution() -> None:
    tree = ast.parse(GENERATED.read_text("utf-8"))
    method = next(
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "_mixer_with_conv_hooks"
    )  # fmt: skip
    names = {node.id for node in ast.walk(method) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(method) if isinstance(node, ast.arg)}
    functions = {"causal_conv1d_fn", "causal_conv1d_update"}
    unknown = {name for name in names - functions - FUNCTIONAL_LOCALS if name not in dir(builtins)}
    assert not unknown


@pytest.mark.heavy
def test_attributes_of_components() -> None:
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    component = GeneralizedComponent("x")
    names = {name for name in dir(component) if not name.startswith("_")}
    # While it makes a model, HF adds a method to every module for good.
    assert names - {"smart_apply"} == COMPONENT_ATTRIBUTES


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
        assert methods <= CONFIG_METHODS | {"head_dim"}
