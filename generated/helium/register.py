# Generated from specs/helium.yaml by `adaptergen build specs/helium.yaml`.
"""Uses the Helium adapter in this folder with an installed, unmodified TransformerLens.

For example::

    from generated.helium import register

    register.register()
    bridge = TransformerBridge.boot_transformers("kyutai/helium-1-preview-2b")
    register.unregister()

Adapters of other folders may be registered beside it.
"""

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from transformer_lens.factories.architecture_adapter_factory import (
    SUPPORTED_ARCHITECTURES,
    ArchitectureAdapterFactory,
)

ARCHITECTURE = "HeliumForCausalLM"
_MODULE = "transformer_lens.model_bridge.supported_architectures.helium"


def register() -> type[Any]:
    """Make TransformerLens use this adapter for its architecture, and return its class."""
    adapter: type[Any] = _load().HeliumArchitectureAdapter
    enter(ARCHITECTURE, adapter)
    return adapter


def unregister() -> None:
    """Give the architecture back to the adapter it had before, unless another has it by now."""
    leave(ARCHITECTURE)


# Architecture to our adapter and to what it replaced, table by table; None for nothing.
_entered: tuple[dict[str, Any], dict[str, Any]] = ({}, {})


def _tables() -> tuple[dict[str, Any], dict[str, Any]]:
    # Loading a model asks the first whether the architecture is supported, and the second, which
    # starts as a copy, for its adapter.
    return SUPPORTED_ARCHITECTURES, ArchitectureAdapterFactory._adapters


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


@functools.cache
def _load() -> ModuleType:
    path = Path(__file__).parent.joinpath(*_MODULE.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location("generated_helium", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Pickle finds classes by the name of their module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
