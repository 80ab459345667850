"""A small TransformerLens look-alike that tests write and extract from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

COMPONENTS = "transformer_lens/model_bridge/generalized_components"

_BASE = """
    import torch.nn as nn
    from transformer_lens.hook_points import HookPoint

    class GeneralizedComponent(nn.Module):
        is_list_item: bool = False
        hook_aliases = {}

        def __init__(self, name, config=None, submodules=None, optional=False):
            super().__init__()
            self.given = (name, config, submodules, optional)
            self.hook_in = HookPoint()
            self.hook_out = HookPoint()
"""

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes a checkout: component files by stem, other files by path."""

    def write(files: Mapping[str, str]) -> Path:
        for name, text in {"base": _BASE, "__init__": "", **files}.items():
            file = tmp_path / (name if "/" in name else f"{COMPONENTS}/{name}.py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text), encoding="utf-8")
        return tmp_path

    return write
