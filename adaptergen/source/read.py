"""From a path to a `Source`: a decent text first, then its tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from adaptergen import guard
from adaptergen.problems import (
    HIDDEN,
    MAX_FOUND,
    Failed,
    Loc,
    Problem,
    SourceLocation,
    character_name,
    quote,
)
from adaptergen.source.builder import Builder, Stop
from adaptergen.source.source import Node, Source, Span


def read_source(path: Path, shown_as: str, lenient: bool = False, start: str = "spec: 1") -> Source:
    """Read a YAML file; `Failed` with every problem found. Problems name the file `shown_as`.

    `start` is what a file of this sort starts with.

    If `lenient`, `Failed` only if it cannot be read to its end; else the source has the problems.
    """
    text = read_text(path, shown_as)
    root, problems = parse(text, shown_as, start)
    lines = _split_lines(text)
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


_LINE_END = re.compile("\r\n|\n|\r")


def read_text(path: Path, shown_as: str) -> str:
    """The text of a file, without its BOM; `Failed` for everything that is not a decent text."""
    data = _read_bytes(path, shown_as)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failed([_not_utf8(data, error, shown_as)]) from None
    if HIDDEN.search(text):
        raise Failed(islice(_hidden(text, shown_as), MAX_FOUND))
    return text


def _split_lines(text: str) -> tuple[str, ...]:
    """The lines of a text as the YAML parser counts them (`str.splitlines` knows more ends)."""
    return tuple(_LINE_END.split(text))


def _read_bytes(path: Path, shown_as: str) -> bytes:
    try:
        return guard.read(path, within=guard.project_of(path))
    except guard.Unfit as unfit:
        raise _failed(shown_as, unfit.code, unfit.message, unfit.hint) from None
    except (FileNotFoundError, NotADirectoryError):
        raise _failed(shown_as, "no-such-file", "there is no such file", "check the path") from None
    except (OSError, ValueError) as error:
        # ValueError: a null byte in the path.
        reason = getattr(error, "strerror", None) or str(error)
        message, hint = f"the file cannot be read: {reason}", "check its permissions and its path"
        raise _failed(shown_as, "unreadable-file", message, hint) from None


def _not_utf8(data: bytes, error: UnicodeDecodeError, shown_as: str) -> Problem:
    # `error.start` counts from after the BOM, if there is one.
    body = data[3:] if data.startswith(b"\xef\xbb\xbf") else data
    before = _split_lines(body[: error.start].decode("utf-8"))
    rest = _split_lines(body[error.start :].decode("utf-8", "backslashreplace"))
    offset = error.start + len(data) - len(body)
    message = f"not UTF-8: byte 0x{body[error.start]:02x} at offset {offset}"
    hint = "save the file as UTF-8"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint += "; it looks like UTF-16"
    place = SourceLocation(shown_as, len(before), len(before[-1]) + 1, 4)
    return Problem("not-utf8", message, hint, place, before[-1] + rest[0])


def _hidden(text: str, shown_as: str) -> Iterator[Problem]:
    hint = "delete it; an editor that shows invisible characters helps to find it"
    for number, line in enumerate(_split_lines(text), start=1):
        for match in HIDDEN.finditer(line):
            message = f"a hidden character: {character_name(match.group())}"
            place = SourceLocation(shown_as, number, match.start() + 1, 1)
            yield Problem("hidden-character", message, hint, place, line)


def _failed(shown_as: str, code: str, message: str, hint: str) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(shown_as))])


_HINTS = (
    ("\\t", "indent with spaces, not with tabs"),
    ("mapping values", "put the text in quotes if it holds a colon and a space"),
    ("escape", "put the text in apostrophes: there a backslash is nothing special"),
    ("flow", "close the bracket, and put commas between the entries"),
    ("block", "line up this line with the ones before it"),
)
_OTHER_HINT = "look at brackets, quotes and indentation here and in the line above"
_CLOSES = {"{": "}", "[": "]"}


def parse(text: str, path: str, start: str = "spec: 1") -> tuple[Node, list[Problem]]:
    """The tree of a YAML text, and the problems of what it could do without.

    `start` is what a file of this sort starts with. `Failed`, with every problem found up to there,
    if reading ended before the text.
    """
    builder = Builder(path, _split_lines(text))
    ended = False
    last = Span(1, 1, 0)
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            last = Span(event.end_mark.line + 1, event.end_mark.column + 1, 0)
            builder.take(event)
        ended = True
    except Stop:
        pass
    except MarkedYAMLError as error:
        _syntax(builder, error, last)
    except (ArithmeticError, LookupError, ValueError, RecursionError):
        # The parser lets these out for some input, for the escape "\UFFFFFFFF" another one in each
        # Python.
        hint = "look for an escape that is no character"
        builder.problem("yaml-syntax", "not YAML: what follows cannot be read", hint, last)
    root = builder.root
    if not builder.problems and (root is None or (root.value is None and not root.span.length)):
        hint = f"start it with {quote(start)}"
        builder.problem("empty-file", "the file is empty", hint, Span(1, 1, 0))
        ended = False
    if root is None or not ended:
        raise Failed(builder.problems)
    return root, builder.problems


def _syntax(builder: Builder, error: Any, last: Span) -> None:
    what = " ".join(part for part in (error.problem, error.context) if part)[:200]
    begun = error.context_mark
    if "a quoted scalar" in what and "found unexpected" in what:
        message = "this quote is never closed"
        builder.problem("yaml-syntax", message, "close the quote", _at(begun))
    elif "a simple key" in what:
        _no_colon(builder, _at(begun))
    elif (
        (
            bracket := _open_bracket(builder, error)
            # It starts with its anchor or tag, if it has one: that is a problem of its own.
        )
        and (sign := builder.lines[bracket.line - 1][bracket.column - 1 :][:1]) in _CLOSES
    ):
        hint = f"close it with `{_CLOSES[sign]}`"
        builder.problem("yaml-syntax", f"this `{sign}` is never closed", hint, bracket)
    else:
        mark = error.problem_mark or begun
        hint = next((hint for word, hint in _HINTS if word in what), _OTHER_HINT)
        builder.problem("yaml-syntax", f"not YAML: {what}", hint, _at(mark) if mark else last)


def _no_colon(builder: Builder, span: Span) -> None:
    words = builder.lines[span.line - 1][span.column - 1 :].split()
    key, colon, value = words[0].partition(":")
    at = Span(span.line, span.column, len(key) + len(colon))
    if colon:
        message = f"a space is missing after {quote(f'{key}:')}"
    else:
        message = f"a colon is missing after {quote(key)}"
        value = " ".join(words[1:]) or "..."
    builder.problem("yaml-syntax", message, f"write {quote(f'{key}: {value}')}", at)


def _open_bracket(builder: Builder, error: Any) -> Span | None:
    """The bracket that is open at the end of the file, or where a line starts further out.

    A line that stands further in belongs to what is in the bracket, and lacks a comma.
    """
    opened, mark = builder.open_bracket(), error.problem_mark
    if opened is None or mark is None or "flow" not in (error.context or ""):
        return None
    line = builder.lines[mark.line] if mark.line < len(builder.lines) else ""
    around = builder.lines[opened.line - 1]
    further_out = mark.line >= opened.line and _indent(line) <= _indent(around)
    ended = "<stream end>" in error.problem or "<document" in error.problem
    return opened if further_out or ended else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _at(mark: Any) -> Span:
    return Span(mark.line + 1, mark.column + 1, 1)
