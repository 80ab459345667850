"""What all components of the runtime have in common."""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace
from typing import Any

import pytest
from runtime_support import GeneralizedComponent

from adaptergen import runtime
from adaptergen.resources import RUNTIME


def components() -> list[Any]:
    """The classes that adapters can name, from each module that ships."""
    modules = [importlib.import_module(f"{RUNTIME}.{name}") for name in runtime.modules()]
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if inspect.isclass(cls)
        and issubclass(cls, GeneralizedComponent)
        and cls.__module__ == module.__name__
        and cls.__name__.endswith("Bridge")
    ]


@pytest.mark.parametrize("cls", components(), ids=lambda cls: cls.__name__)
def test_is_made_as_those_of_transformer_lens_are(cls: Any) -> None:
    config = SimpleNamespace(n_heads=2, d_model=8, d_head=4)
    for made in (cls("path", config), cls(name="path", config=config)):
        assert made.name == "path"
        assert made.config is config
