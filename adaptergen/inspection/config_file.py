"""A config.json read as transformers reads it; needs nothing of it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from adaptergen import guard

#: How transformers writes numbers that JSON does not have, as in `{"__float__": "Infinity"}`.
_TAG = "__float__"
_TAGGED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def read_config(path: Path) -> Any:
    """What a file holds, an object unless the file is wrong. Raises `OSError` or `ValueError`.

    Only a regular file of moderate size is read: a pipe may never end, nor a device.
    """
    text = guard.read(path).decode("utf-8")
    try:
        return json.loads(text, object_hook=_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(found: dict[str, Any]) -> Any:
    if found.keys() == {_TAG} and isinstance(found[_TAG], str):
        return _TAGGED.get(found[_TAG], found)
    return found
