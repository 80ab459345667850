"""A config.json read as transformers reads it; needs nothing of it."""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path
from typing import Any

from adaptergen.source.files import MAX_BYTES

#: How transformers writes numbers that JSON does not have, as in `{"__float__": "Infinity"}`.
_TAG = "__float__"
_TAGGED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}


def read_config(path: Path) -> Any:
    """What a file holds, an object unless the file is wrong. Raises `OSError` or `ValueError`.

    Only a regular file of moderate size is read: a pipe may never end, nor a device.
    """
    text = _bytes(path).decode("utf-8")
    try:
        return json.loads(text, object_hook=_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _bytes(path: Path) -> bytes:
    # Asked before it is opened too: to open a device can do something.
    _refuse_special(os.stat(path).st_mode)
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        _refuse_special(os.fstat(file.fileno()).st_mode)
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("it is larger than 1 MiB")
    return data


def _refuse_special(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ValueError("it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file")


def _number(found: dict[str, Any]) -> Any:
    if found.keys() == {_TAG} and isinstance(found[_TAG], str):
        return _TAGGED.get(found[_TAG], found)
    return found
