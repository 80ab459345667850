"""Values in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def change(before: object, after: object) -> str:
    """The new value and the old."""
    return f"{shown(after)} now, {shown(before)} before"


def shown(value: object) -> str:
    """A value in backticks; nothing, in words."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    return f"`{value}`" if value not in ("", None, "nothing") else "nothing"


def last(qualified: str) -> str:
    """The name of a class or function without its module."""
    return qualified.rpartition(".")[2]


def names(words: Sequence[str]) -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{word}`" for word in words]
    return " and ".join([*[", ".join(quoted[:-1])] * (len(quoted) > 1), *quoted[-1:]])
