"""Qualified names, and paths without numbers."""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any


def qualified(cls: Any) -> str:
    """`package.module.Class`, without what an outer function adds."""
    return f"{cls.__module__}.{cls.__qualname__}".replace("<locals>.", "")


@lru_cache(maxsize=4096)
def pattern(path: str) -> str:
    """The path with `*` for every number."""
    return re.sub(r"(^|\.)\d+(?=\.|$)", r"\1*", path)


def imported_as(file: str) -> str:
    """A file below the folder of packages that it was imported from, so that machines agree."""
    folders = [entry for entry in sys.path if entry and file.startswith(entry.rstrip("/\\") + "/")]
    longest = max(folders, key=len, default="")
    return Path(file).relative_to(longest).as_posix() if longest else Path(file).name


def function_name(frame: FrameType) -> str:
    """The qualified name of the function that a frame runs."""
    code = frame.f_code
    # Python 3.10 has no `co_qualname`.
    name = getattr(code, "co_qualname", None) or _of_method(frame, code)
    return f"{frame.f_globals.get('__name__', '')}.{name}".replace("<locals>.", "")


def _of_method(frame: FrameType, code: CodeType) -> str:
    me = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    for cls in type(me).__mro__:
        method = vars(cls).get(code.co_name)
        if getattr(method, "__code__", None) is code:
            return f"{cls.__qualname__}.{code.co_name}"
    return code.co_name
