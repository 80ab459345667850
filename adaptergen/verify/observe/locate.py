"""Where something of transformers stands in what is installed."""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache
from importlib import import_module
from typing import Any

from adaptergen.inspection.names import imported_as


@lru_cache(maxsize=1024)
def locate(qualified: str) -> str:
    """`transformers/models/x/modeling_x.py:120` for a qualified name; empty if it is not found."""
    found = _find(qualified)
    if found is None:
        return ""
    try:
        file = inspect.getsourcefile(found)
        line = inspect.getsourcelines(found)[1]
    except (OSError, TypeError):
        return ""
    return f"{imported_as(file)}:{line}" if file else ""


def _find(qualified: str) -> Any:
    parts = qualified.split(".")
    for end in range(len(parts), 0, -1):
        name = ".".join(parts[:end])
        module = sys.modules.get(name)
        if module is None and parts[0] == "transformers":
            try:
                module = import_module(name)
            except ImportError:
                continue
        if module is not None:
            found: Any = module
            for part in parts[end:]:
                found = getattr(found, part, None)
            return inspect.unwrap(found) if callable(found) else None
    return None
