"""A file that was read: its data, and the place of everything in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen.problems import Loc, Place, Problem
from adaptergen.source.files import read_text, split_lines
from adaptergen.source.parse import parse
from adaptergen.source.tree import Node


@dataclass(frozen=True)
class Source:
    """A YAML file as plain data, and where each key and value of it stands."""

    path: str
    lines: tuple[str, ...]
    root: Node

    @property
    def data(self) -> Any:
        """The file as dicts, lists, text, numbers, booleans and None."""
        return self.root.value

    def place(self, loc: Loc = (), key: bool = False) -> Place:
        """The place of the value at `loc`, or of its key.

        An empty value and a block of lines are pointed at by their key. Parts of `loc` that the
        data does not have are passed over, so what does not exist is placed at its parent.
        """
        node = self.root
        for part in loc:
            node = node.children.get(part, node)
        span = (node.key if key else None) or node.span
        return Place(self.path, span.line, span.column, span.length)

    def problem(
        self, code: str, message: str, hint: str = "", loc: Loc = (), key: bool = False
    ) -> Problem:
        """A problem of this file, with the place of `loc` and the text of its line."""
        place = self.place(loc, key)
        return Problem(code, message, hint, place, self.lines[place.line - 1])


def read_source(path: Path, shown_as: str) -> Source:
    """Read a YAML file; `Failed` with every problem found. Problems name the file `shown_as`."""
    text = read_text(path, shown_as)
    lines = split_lines(text)
    return Source(shown_as, lines, parse(text, shown_as, lines))
