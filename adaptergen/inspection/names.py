"""Names of classes, functions, files and modules that are the same on every machine."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any


def qualified(cls: Any) -> str:
    """`package.module.Class`, without what an outer function adds."""
    return f"{cls.__module__}.{cls.__qualname__}".replace("<locals>.", "")


@lru_cache(maxsize=4096)
def wildcard_path(path: str) -> str:
    """The path of a module with `*` for every number."""
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", path)


def imported_as(file: str) -> str:
    """The path of a file below the folder of packages that it was imported from."""
    folders = [entry for entry in sys.path if entry and file.startswith(entry.rstrip("/\\") + "/")]
    longest = max(folders, key=len, default="")
    return Path(file).relative_to(longest).as_posix() if longest else Path(file).name


def function_name(frame: FrameType) -> str:
    """The qualified name of the function that a frame runs."""
    # Transformers needs a Python that has `co_qualname`.
    name = getattr(frame.f_code, "co_qualname", frame.f_code.co_name)
    return f"{frame.f_globals.get('__name__', '')}.{name}".replace("<locals>.", "")


def self_of(frame: FrameType) -> Any:
    """The first argument of the function that a frame runs; None if it takes none."""
    code = frame.f_code
    return frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
