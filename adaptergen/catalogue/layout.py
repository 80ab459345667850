"""JSON laid out for review: what fits on a line stands on one, the rest one item a line."""

from __future__ import annotations

import json

_WIDTH = 100


def lay_out(value: object, indent: int = 0, used: int = 0) -> str:
    """The JSON text of a value; ``used`` is the width its first line has already taken."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value:
        return flat
    items = list(value.values()) if isinstance(value, dict) else value
    nested = any(isinstance(item, (dict, list)) and item for item in items)
    if not nested and indent + used + len(flat) < _WIDTH:
        return flat
    inner = indent + 2
    lines: list[str] = []
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        label = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        lines.append(f"{' ' * inner}{label}{lay_out(item, inner, len(label))}")
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{opening}\n" + ",\n".join(lines) + f"\n{' ' * indent}{closing}"
