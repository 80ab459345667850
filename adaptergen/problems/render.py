"""Problems as text for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from adaptergen.problems.model import Place, Problem
from adaptergen.problems.text import visible

WINDOW = 100
BEFORE_CARET = 40

_BOLD, _RED, _CYAN, _OFF = "\x1b[1m", "\x1b[1;31m", "\x1b[36m", "\x1b[0m"


def render(problems: Iterable[Problem], color: bool = False) -> str:
    """Every problem with its place, its line and a caret, in the order of the files.

    No control or bidi character of the user's text gets through: apart from line ends, the only
    control characters are our own colours, if asked for. No line end after the last line.
    """
    ordered = sorted(problems, key=lambda problem: problem.sort_key)
    return "\n\n".join("\n".join(_block(problem, color)) for problem in ordered)


def _block(problem: Problem, color: bool) -> list[str]:
    place = problem.place
    where = f"{visible(place.path)}:{place.line}:{place.column}: " if place else ""
    lines = [
        _paint(where, _BOLD, color)
        + _paint(f"error[{visible(problem.code)}]", _RED, color)
        + f": {visible(problem.message)}"
    ]
    if place and problem.line_text is not None:
        number = f"{place.line:5}"
        gutter = " " * len(number)
        shown, carets = _snippet(problem.line_text, place)
        lines.append(f"{number} | {shown}".rstrip())
        lines.append(f"{gutter} | {_paint(carets, _RED, color)}")
    hint = visible(problem.mend)
    if hint:
        lines.append(f"      = {_paint('hint', _CYAN, color)}: {hint}")
    return lines


def _snippet(line: str, place: Place) -> tuple[str, str]:
    # The window is cut before anything is escaped, so a line of a megabyte costs no more than one.
    at = min(max(place.column - 1, 0), len(line))
    start = max(0, at - BEFORE_CARET) if len(line) > WINDOW else 0
    end = min(start + WINDOW, len(line))
    left, right = "..." if start else "", "..." if end < len(line) else ""
    before = left + _show(line[start:at])
    marked = _show(line[at : min(at + place.length, end)])
    after = _show(line[at:end]) + right
    pad, carets = _width(before), max(1, _width(marked))
    return before + after, " " * pad + "^" * carets


def _show(text: str) -> str:
    # A tab as one blank keeps the caret below its character whatever the terminal's tab stops.
    return visible(text.replace("\t", " "))


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def _paint(text: str, style: str, color: bool) -> str:
    return f"{style}{text}{_OFF}" if color and text else text
