"""Makes TransformerLens use adapters that it does not ship, in this process only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from transformer_lens.factories.architecture_adapter_factory import (
    SUPPORTED_ARCHITECTURES,
    ArchitectureAdapterFactory,
)

#: Rises with every change that adapters notice, so that none runs on an older one.
VERSION = 1

_COMPONENTS = "transformer_lens.model_bridge.generalized_components"

# Architecture -> our adapter and what it replaced, table by table; None for nothing.
_entered: tuple[dict[str, Any], dict[str, Any]] = ({}, {})


def install(needed: int, command: str) -> None:
    """Let what adapters share be imported among the components of TransformerLens.

    Args:
        needed: The version that an adapter needs.
        command: The command that builds a newer one.

    Raises:
        RuntimeError: This version is older.
    """
    if needed > VERSION:
        raise RuntimeError(
            f"the adapter needs version {needed} of what adapters share, and {Path(__file__).parent} "
            f"has version {VERSION}: run `{command}`"
        )
    components = importlib.import_module(_COMPONENTS)
    folder = str(Path(__file__).parent.joinpath(*_COMPONENTS.split(".")))
    if folder not in components.__path__:
        components.__path__.append(folder)


@cache
def load(path: Path, name: str) -> ModuleType:
    """The module in a file, under a name by which pickle finds its classes."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def enter(architecture: str, adapter: type[Any]) -> None:
    """Make TransformerLens use this adapter for an architecture; twice is as once."""
    # Entry points are looked up once only: later they would find the place taken, and warn.
    ArchitectureAdapterFactory.discover_entry_points()
    for table, entered in zip(_tables(), _entered):
        earlier = table.get(architecture)
        if earlier is not adapter:
            entered[architecture] = adapter, earlier
            table[architecture] = adapter


def leave(architecture: str) -> None:
    """Put back what `enter` replaced, unless another has taken the place by now."""
    for table, entered in zip(_tables(), _entered):
        adapter, earlier = entered.pop(architecture, (None, None))
        if adapter is None or table.get(architecture) is not adapter:
            continue
        if earlier is None:
            del table[architecture]
        else:
            table[architecture] = earlier


def _tables() -> tuple[dict[str, Any], dict[str, Any]]:
    # Loading a model asks the first whether the architecture is supported, and the second, which
    # starts as a copy and has no other name, for its adapter.
    return SUPPORTED_ARCHITECTURES, ArchitectureAdapterFactory._adapters
