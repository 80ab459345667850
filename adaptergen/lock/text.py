"""JSON that is read by people: sorted, and what fits a line on one line."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 160


def to_text(value: Any, indent: int = 0, first: int = 0) -> str:
    """The value as JSON; `first` is how much stands before it on its line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or _fits(value, short, indent, first):
        return short
    pad, inner = " " * indent, " " * (indent + 1)
    if isinstance(value, list):
        return "[\n" + "\n".join(_filled(value, inner)) + f"\n{pad}]"
    lines = []
    for key, item in value.items():
        head = f"{json.dumps(key, ensure_ascii=False)}: "
        lines.append(inner + head + to_text(item, indent + 1, len(head)))
    return "{\n" + ",\n".join(lines) + f"\n{pad}}}"


def _filled(items: list[Any], pad: str) -> list[str]:
    """Items one after the other, a comma behind each but the last."""
    lines, line = [], pad
    for number, item in enumerate(items, 1):
        text = json.dumps(item, ensure_ascii=False) + ("," if number < len(items) else "")
        if line != pad and len(line) + 1 + len(text) > WIDTH:
            lines.append(line)
            line = pad
        line += text if line == pad else f" {text}"
    return [*lines, line]


def _fits(value: Any, short: str, indent: int, first: int) -> bool:
    # What holds objects that hold objects is opened even where it is short.
    deep = isinstance(value, dict) and any(
        isinstance(below, dict) and any(isinstance(v, dict) for v in below.values())
        for below in value.values()
    )
    return not deep and indent + first + len(short) + 1 <= WIDTH and indent > 1
