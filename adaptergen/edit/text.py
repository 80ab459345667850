"""The text of a file to edit: its line ends, its offsets, and what prevents an edit."""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from adaptergen.problems import Failed, Problem, SourceLocation

#: The fix for a file that lacks what every TransformerLens has.
NOT_TRANSFORMER_LENS = (
    "check that this is TransformerLens, and which version: `adaptergen catalog --tl PATH`"
)
CLEAN_COPY = "take the file from a clean checkout: `git checkout -- FILE`"
_BOM = "\ufeff"
_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Splice:
    """Replace what lies between two offsets by `text`."""

    start: int
    end: int
    text: str

    @staticmethod
    def insert(at: int, text: str) -> Splice:
        """Put `text` at an offset."""
        return Splice(at, at, text)


@dataclass(frozen=True)
class Text:
    """A file's text with `\\n` as its line end, and how to get back to its bytes."""

    path: str
    text: str
    newline: str = "\n"
    bom: str = ""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return (self.bom + self.text.replace("\n", self.newline)).encode()

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """The offset at which each line starts."""
        return (0, *(match.end() for match in re.finditer("\n", self.text)))

    def offset(self, line: int, column: int) -> int:
        """The offset of a line, from 1, and a column of `ast`, in bytes from 0."""
        start = self.starts[line - 1]
        if not column:
            return start
        end = self.text.find("\n", start)
        whole = self.text[start : end if end >= 0 else None]
        return start + len(whole.encode()[:column].decode())

    def start(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """The offset at which a node starts."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        """The offset behind a node."""
        return self.offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def line_of(self, offset: int) -> int:
        """The line that an offset is on, from 1."""
        return bisect_right(self.starts, offset)

    def line_start(self, offset: int) -> int:
        """Where the line of an offset starts."""
        return self.starts[self.line_of(offset) - 1]

    def line_end(self, offset: int) -> int:
        """Where the line of an offset ends, before its line end."""
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end

    def indent(self, offset: int) -> str:
        """The white space that the line of an offset starts with."""
        start = self.line_start(offset)
        line = self.text[start : self.line_end(start)]
        return line[: len(line) - len(line.lstrip())]

    def spliced(self, splices: Iterable[Splice]) -> Text:
        """The text with all splices made."""
        parts, at = [], 0
        for splice in sorted(splices, key=lambda one: (one.start, one.end)):
            parts += [self.text[at : splice.start], splice.text]
            at = splice.end
        return replace(self, text="".join(parts) + self.text[at:])

    def tree(self) -> ast.Module:
        """The syntax tree; `Failed` if the file is not Python."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError) as error:
            line = getattr(error, "lineno", None) or 1
            reason = getattr(error, "msg", None) or str(error)
            raise self.failed(
                "unreadable-source",
                f"this is not Python: {reason}",
                CLEAN_COPY,
                min(line, len(self.starts)),
            ) from error

    def failed(self, code: str, message: str, hint: str, *lines: int) -> Failed:
        """A problem at each of the lines, to be raised."""
        return Failed(Problem(code, message, hint, *self._place(line)) for line in lines or (1,))

    def _place(self, line: int) -> tuple[SourceLocation, str]:
        start = self.starts[line - 1]
        shown = self.text[start : self.line_end(start)]
        column = len(shown) - len(shown.lstrip())
        return SourceLocation(self.path, line, column + 1, len(shown.strip())), shown


def read(data: bytes, path: str) -> Text:
    """The text of a file that can be edited: UTF-8, one kind of line end, nothing to merge."""
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"byte {error.start + 1} is not text in UTF-8"
        where = SourceLocation(path, line)
        raise Failed([Problem("unreadable-source", message, CLEAN_COPY, where)]) from error
    bom = _BOM if whole.startswith(_BOM) else ""
    whole = whole[len(bom) :]
    _check_line_ends(whole, path)
    newline = "\r\n" if "\r\n" in whole else "\n"
    text = Text(path, whole.replace("\r\n", "\n"), newline, bom)
    markers = [text.line_of(match.start()) for match in _MARKER.finditer(text.text)]
    if markers:
        raise text.failed(
            "conflict-markers",
            "a merge was left unfinished here",
            "resolve the conflict, `git add` the file, and run the command again",
            *markers,
        )
    return text


def _check_line_ends(whole: str, path: str) -> None:
    found = re.findall("\r\n|\r|\n", whole)
    kinds = set(found)
    if kinds <= {"\n"} or kinds == {"\r\n"}:
        return
    line = next(n for n, end in enumerate(found, 1) if end != found[0] or end == "\r")
    shown = Text(path, re.sub("\r\n|\r", "\n", whole))
    raise shown.failed(
        "mixed-line-ends",
        "this line does not end as the first one does",
        "give the file one kind of line end: `git add --renormalize FILE`, or your editor",
        line,
    )
