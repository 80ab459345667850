"""What each behaviour checks. A build writes a list of their modules in the place of this one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

_FILES = Path(__file__).parents[1].glob("behaviours/*/contract.py")

ALL = tuple(
    import_module(f"..behaviours.{name}.contract", __package__)
    for name in sorted(path.parent.name for path in _FILES)
)
