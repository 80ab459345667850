"""Generates TransformerLens architecture adapters from declarative specs."""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__", "bridge"]


def __getattr__(name: str) -> object:
    # Commands that read files only do without torch, which a bridge needs.
    if name == "bridge":
        from adaptergen.draft.bridge import bridge

        return bridge
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
