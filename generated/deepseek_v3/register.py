# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""Uses the DeepSeek-V3 adapter in this folder with an installed, unmodified TransformerLens.

For example::

    import register

    register.register()
    bridge = TransformerBridge.boot_transformers("deepseek-ai/DeepSeek-V3")
    register.unregister()
"""

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from transformer_lens.factories.architecture_adapter_factory import (
    ArchitectureAdapterFactory,
)

ARCHITECTURE = "DeepseekV3ForCausalLM"
_MODULE = "transformer_lens.model_bridge.supported_architectures.deepseek_v3"
_replaced: list[Any] = []


def register() -> type[Any]:
    """Make TransformerLens use this adapter for its architecture, and return its class."""
    adapter: type[Any] = _load().DeepSeekV3ArchitectureAdapter
    before = ArchitectureAdapterFactory._adapters.get(ARCHITECTURE)
    if before is not adapter:
        _replaced[:] = [before]
        ArchitectureAdapterFactory.register_adapter(ARCHITECTURE, adapter)
    return adapter


def unregister() -> None:
    """Give the architecture back to the adapter it had before, unless another has it by now."""
    if not _replaced:
        return
    before, adapters = _replaced.pop(), ArchitectureAdapterFactory._adapters
    if adapters.get(ARCHITECTURE) is not _load().DeepSeekV3ArchitectureAdapter:
        return
    if before is None:
        del adapters[ARCHITECTURE]
    else:
        adapters[ARCHITECTURE] = before


@functools.cache
def _load() -> ModuleType:
    path = Path(__file__).parent.joinpath(*_MODULE.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location("generated_deepseek_v3", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Pickle finds classes by the name of their module.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
