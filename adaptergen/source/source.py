"""A file that was read: its data, and the place of everything in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adaptergen.problems import Failed, Loc, Problem, SourceLocation
from adaptergen.source.files import read_text, split_lines
from adaptergen.source.parse import parse
from adaptergen.source.tree import Node

#: In a location, a key that is not there.
ANY: Final = "*"


@dataclass(frozen=True)
class Source:
    """A YAML file as plain data, and where each key and value of it stands.

    `problems` are those told of it so far. What they leave in doubt is at or below a location in
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

    def known(self, loc: Loc) -> bool:
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

    def whole(self, loc: Loc) -> bool:
        """Whether everything at `loc` and below it can be judged."""
        doubtful = self.broken | self.open
        return self.known(loc) and not any(other[: len(loc)] == loc for other in doubtful)

    def problem(
        self, code: str, message: str, hint: str = "", loc: Loc = (), key: bool = False
    ) -> Problem:
        """A problem of this file, with the place of `loc` and the text of its line."""
        place = self.place(loc, key)
        return Problem(code, message, hint, place, self.lines[place.line - 1])


def read_source(path: Path, shown_as: str, lenient: bool = False, start: str = "spec: 1") -> Source:
    """Read a YAML file; `Failed` with every problem found. Problems name the file `shown_as`.

    `start` is what a file of this sort starts with.

    If `lenient`, `Failed` only if it cannot be read to its end; else the source has the problems.
    """
    text = read_text(path, shown_as)
    lines = split_lines(text)
    root, problems = parse(text, shown_as, lines, start)
    if not problems:
        return Source(shown_as, lines, root)
    if not lenient:
        raise Failed(problems)
    nodes = list(_walk(root))
    broken = frozenset(loc for loc, node in nodes if node.broken)
    lacking = frozenset(loc for loc, node in nodes if node.open)
    return Source(shown_as, lines, root, tuple(problems), broken, lacking)


def _walk(node: Node, loc: Loc = ()) -> Iterator[tuple[Loc, Node]]:
    yield loc, node
    for part, child in node.children.items():
        yield from _walk(child, (*loc, part))
