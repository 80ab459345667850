"""The small hybrid of the tests, put into transformers."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

HYBRID = Path(__file__).parent / "hybrid"
TEXT = (HYBRID / "modeling.py").read_text(encoding="utf-8")
CLASS = "DriftHybridForCausalLM"


def import_text(text: str, name: str) -> ModuleType:
    """The text as a module; config classes of transformers look themselves up in `sys.modules`."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


def put(text: str, monkeypatch: Any, name: str = "drift_hybrid.modeling") -> None:
    """Let transformers have the class of this text."""
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = import_text(text, name)
    for there in _imported():
        monkeypatch.setattr(there, CLASS, getattr(module, CLASS, None), raising=False)


def pretend(release: str, monkeypatch: Any) -> None:
    """Let the installed transformers call itself so."""
    for there in _imported():
        monkeypatch.setattr(there, "__version__", release)


def _imported() -> list[ModuleType]:
    """Transformers, as whoever imported it has it.

    Transformers may put another module in its own place after the first import.
    """
    import transformers

    from adaptergen.contract import models
    from adaptergen.observe import entry

    return list(
        {id(one): one for one in (transformers, models.transformers, entry.transformers)}.values()
    )
