"""A file that was read: its data, and where each key and value stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from adaptergen.problems import Loc, Problem, SourceLocation

#: In a location, a key that is not there.
ANY: Final = "*"


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


@dataclass(frozen=True)
class Source:
    """A YAML file as plain data, and where each key and value of it stands.

    `problems` are those found so far. What they leave in doubt is at or below a location in
    `broken`, or may be a key that a mapping in `open` lacks.
    """

    path: str
    lines: tuple[str, ...]
    root: Node
    problems: tuple[Problem, ...] = ()
    broken: frozenset[Loc] = frozenset()
    open: frozenset[Loc] = frozenset()

    @property
    def data(self) -> Any:
        """The file as dicts, lists, text, numbers, booleans and None."""
        return self.root.value

    def place(self, loc: Loc = (), key: bool = False) -> SourceLocation:
        """The place of the value at `loc`, or of its key.

        An empty value and a block of lines are pointed at by their key. Parts of `loc` that the
        data does not have are passed over, so what does not exist is placed at its parent.
        """
        node = self.root
        for part in loc:
            node = node.children.get(part, node)
        span = (node.key if key else None) or node.span
        return SourceLocation(self.path, span.line, span.column, span.length)

    def value(self, loc: Loc) -> Any:
        """What stands at `loc`; None if nothing does."""
        node: Node | None = self.root
        for part in loc:
            node = node.children.get(part) if node else None
        return node.value if node else None

    def is_resolved(self, loc: Loc) -> bool:
        """Whether it can be judged what stands at `loc`, or that nothing does.

        `(..., ANY)` asks whether all keys are known. What stands further down may be broken.
        """
        if not self.problems:
            return True
        node: Node | None = self.root
        for depth, part in enumerate(loc):
            node = node.children.get(part) if node else None
            if loc[: depth + 1] in self.broken or (node is None and loc[:depth] in self.open):
                return False
        return () not in self.broken

    def is_valid(self, loc: Loc) -> bool:
        """Whether everything at `loc` and below it can be judged."""
        doubtful = self.broken | self.open
        return self.is_resolved(loc) and not any(other[: len(loc)] == loc for other in doubtful)

    def problem(
        self, code: str, message: str, hint: str = "", loc: Loc = (), key: bool = False
    ) -> Problem:
        """A problem of this file, with the place of `loc` and the text of its line."""
        place = self.place(loc, key)
        return Problem(code, message, hint, place, self.lines[place.line - 1])
