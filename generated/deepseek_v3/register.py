# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""Uses the DeepSeek-V3 adapter in this folder with an installed, unmodified TransformerLens.

For example::

    from generated.deepseek_v3 import register

    register.register()
    bridge = TransformerBridge.boot_transformers("deepseek-ai/DeepSeek-V3")
    register.unregister()

Adapters of other folders may be registered beside it.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

ARCHITECTURE = "DeepseekV3ForCausalLM"
BUILD = "adaptergen build specs/deepseek_v3.yaml"
_MODULE = "transformer_lens.model_bridge.supported_architectures.deepseek_v3"


def register() -> type[Any]:
    """Make TransformerLens use this adapter for its architecture, and return its class."""
    path = Path(__file__).parent.joinpath(*_MODULE.split(".")).with_suffix(".py")
    adapter: type[Any] = shared().load(path, "generated_deepseek_v3").DeepSeekV3ArchitectureAdapter
    shared().enter(ARCHITECTURE, adapter)
    return adapter


def unregister() -> None:
    """Give the architecture back to the adapter it had before, unless another has it by now."""
    shared().leave(ARCHITECTURE)


def shared() -> Any:
    """What adapters share, from the folder beside this one, ready to be imported."""
    name = "adaptergen_runtime"
    if name not in sys.modules:
        path = Path(__file__).parent.parent / "_runtime" / "registration.py"
        if not path.is_file():
            raise ImportError(f"there is no {path}: run `{BUILD}`")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    sys.modules[name].install(1, BUILD)
    return sys.modules[name]
