"""Where locks lie. Imported for every build: the standard library only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def lock_path(spec: Path) -> Path:
    """The lock of the spec in this file."""
    return spec.parent / f"{spec.stem}.lock.json"


def has_lock(spec: Path) -> bool:
    """Whether there is one, even if it is a link that leads nowhere."""
    return os.path.lexists(lock_path(spec))


def unverified(specs: Iterable[Path]) -> str:
    """One line about specs that nobody has held against transformers; empty if there are none."""
    without = [path.as_posix() for path in dict.fromkeys(specs) if not has_lock(path)]
    if not without:
        return ""
    verb = "has no lock" if len(without) == 1 else "have no lock"
    shown = ", ".join(without[:3]) + (f" and {len(without) - 3} more" if len(without) > 3 else "")
    return f"unverified: {shown} {verb}; `adaptergen lock` writes one"
