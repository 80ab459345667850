"""The tree of a file: its values, and where each of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Span:
    """A stretch of one line; line and column count from 1."""

    line: int
    column: int
    length: int


@dataclass
class Node:
    """A value with its place.

    `span` is what a caret should point at: the value, or the key in front of it if the value is
    empty or a block of lines. `value` is plain data, shared with the parent's value. It is
    `broken` if it is not what the user meant, and `open` if it lacks keys that could not be read.
    """

    value: Any
    span: Span
    key: Span | None = None
    children: dict[str | int, Node] = field(default_factory=dict)
    broken: bool = False
    open: bool = False

    def add(self, name: str | int, child: Node) -> None:
        """Put a child into both the tree and the data."""
        self.children[name] = child
        if isinstance(self.value, dict):
            self.value[name] = child.value
        else:
            self.value.append(child.value)


def span_between(lines: Sequence[str], start: Any, end: Any) -> Span:
    """The span between two marks of the parser, cut at the end of the first line."""
    text = lines[start.line] if start.line < len(lines) else ""
    last = end.column if end.line == start.line else len(text.rstrip())
    return Span(start.line + 1, start.column + 1, max(0, last - start.column))
