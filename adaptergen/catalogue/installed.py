"""Where the installed TransformerLens is, found without importing it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

PACKAGE = "transformer_lens"
DISTRIBUTION = "transformer-lens"


def find_installed() -> Path | None:
    """The package directory of the installed TransformerLens, or None."""
    try:
        # A top-level name only: for a dotted one, find_spec imports the parents.
        spec = importlib.util.find_spec(PACKAGE)
    except ValueError:
        return None
    # A folder of that name without an __init__ (generated files lie in one) has no origin.
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def installed_version() -> str | None:
    """The version of the installed TransformerLens, or None."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
