"""Mistakes of the user, as data, and how they and the user's text are shown.

A mistake of the user is a `Problem`: a code, one sentence, the edit that fixes it, and its
location. A step gathers problems and raises one `Failed` with all of them. Any other exception
that gets out is a bug in adaptergen. The one exception in between is `SpecValueError`, for code
that knows what is wrong with a value and not where the value stands; `adaptergen.source.validate`
adds the location. Needs nothing outside the standard library.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

from adaptergen.error_codes import error_codes

Item = TypeVar("Item")
Result = TypeVar("Result")
Loc = tuple["str | int", ...]

#: So many problems are reported: nobody reads on.
MAX_PROBLEMS = 100

#: After so many, what reads a file stops looking: one of a megabyte can hold a million.
MAX_FOUND = 1000


@dataclass(frozen=True)
class SourceLocation:
    """Where in a file. Lines and columns count from 1, columns and lengths in characters.

    What is wrong with a file as a whole is at 1:1, so that every problem of a file has the same
    `file:line:column` in front, for editors and `grep`.
    """

    path: str
    line: int = 1
    column: int = 1
    length: int = 0


@dataclass(frozen=True)
class Problem:
    """One mistake: what is wrong, how to fix it, and where it is."""

    code: str
    message: str
    hint: str = ""
    location: SourceLocation | None = None
    line_text: str | None = None

    @property
    def fix(self) -> str:
        """The hint; without one, the example of the code."""
        if self.hint:
            return self.hint
        example = error_codes().get(self.code)
        return f"e.g. {example.fix}" if example else ""

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Path, line, column; the rest makes the order total."""
        at = self.location or SourceLocation("", 0, 0)
        return (at.path, at.line, at.column, self.code, self.message)


class Failed(Exception):
    """A step could not do its work because of what it was given; carries every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # Whoever finds a problem once more may have another hint for it.
        distinct = {problem.sort_key: problem for problem in problems}
        self.problems = tuple(distinct[key] for key in sorted(distinct))
        super().__init__(self.problems)

    @property
    def shown(self) -> tuple[Problem, ...]:
        """Those that are reported."""
        return self.problems[:MAX_PROBLEMS]

    @property
    def summary(self) -> str:
        """How many there are, and how many of them are reported."""
        count = len(self.problems)
        if count <= MAX_PROBLEMS:
            return f"{count} problem{'' if count == 1 else 's'}."
        # With so many, a step may have stopped looking.
        found = f"{MAX_FOUND} or more" if count >= MAX_FOUND else str(count)
        return f"{MAX_PROBLEMS} of {found} problems shown."

    def __str__(self) -> str:
        return render(self.problems)


class InputError(Exception):
    """What a call was given, or the environment, cannot be used: what is wrong, and the hint.

    For what has no location; the command line prints it without a traceback.
    """

    def __init__(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        super().__init__(message, hint)

    def __str__(self) -> str:
        return f"{self.message}\n  hint: {self.hint}"


class SpecValueError(ValueError):
    """A value is wrong; raised where its location is not known (a validator, a name, arithmetic).

    `at` is a path of keys below the value, for a check of a whole model that blames one key.
    """

    def __init__(self, code: str, message: str, hint: str = "", at: Loc = ()) -> None:
        self.code, self.message, self.hint, self.at = code, message, hint, at
        super().__init__(code, message, hint, at)

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


def every(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """`function` of every item; if any of them fail, one `Failed` with the problems of all."""
    results: list[Result] = []
    problems: list[Problem] = []
    for item in items:
        try:
            results.append(function(item))
        except Failed as failed:
            problems.extend(failed.problems)
    if problems:
        raise Failed(problems)
    return results


_WINDOW = 100
_BEFORE_CARET = 40

_BOLD, _RED, _CYAN, _OFF = "\x1b[1m", "\x1b[1;31m", "\x1b[36m", "\x1b[0m"


def render(problems: Iterable[Problem], color: bool = False) -> str:
    """Every problem with its location, its line and a caret, in the order of the files.

    No control or bidi character of the user's text gets through: apart from line ends, the only
    control characters are our own colours, if asked for. No line end after the last line.
    """
    ordered = sorted(problems, key=lambda problem: problem.sort_key)
    return "\n\n".join("\n".join(_block(problem, color)) for problem in ordered)


def _block(problem: Problem, color: bool) -> list[str]:
    at = problem.location
    where = f"{visible(at.path)}:{at.line}:{at.column}: " if at else ""
    lines = [
        _paint(where, _BOLD, color)
        + _paint(f"error[{visible(problem.code)}]", _RED, color)
        + f": {visible(problem.message)}"
    ]
    if at and problem.line_text is not None:
        number = f"{at.line:5}"
        gutter = " " * len(number)
        shown, carets = _snippet(problem.line_text, at)
        lines.append(f"{number} | {shown}".rstrip())
        lines.append(f"{gutter} | {_paint(carets, _RED, color)}")
    hint = visible(problem.fix)
    if hint:
        lines.append(f"      = {_paint('hint', _CYAN, color)}: {hint}")
    return lines


def _snippet(line: str, place: SourceLocation) -> tuple[str, str]:
    # The window is cut before anything is escaped, so a line of a megabyte costs no more than one.
    at = min(max(place.column - 1, 0), len(line))
    start = max(0, at - _BEFORE_CARET) if len(line) > _WINDOW else 0
    end = min(start + _WINDOW, len(line))
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


def annotation(
    level: str, message: str, title: str, file: str = "", line: int | None = None
) -> str:
    """A line by which GitHub Actions annotates a file; `level`: `error`, `warning` or `notice`."""
    place = {"file": file, "line": str(line or "")}
    properties = {**{key: value for key, value in place.items() if value}, "title": title}
    written = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items())
    return f"::{level} {written}::{_escape_data(message)}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")


#: Characters a reader cannot see, or that reorder what they see. Written out rather than taken
#: from `unicodedata`, so that every Python version refuses the same files. The line separators
#: U+0085, U+2028 and U+2029 are here too: YAML 1.1 counts them as line ends and editors do not.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)
_NOT_SHOWN_RAW = re.compile(HIDDEN.pattern[:-1] + "\t\n\r]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def visible(text: str) -> str:
    """The text with every control, bidi and otherwise hidden character as an escape."""
    return _NOT_SHOWN_RAW.sub(_escape, text)


def character_name(character: str) -> str:
    """`U+202E RIGHT-TO-LEFT OVERRIDE`: a hidden character in words."""
    name = unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name}"


def quote(text: str, limit: int = 60) -> str:
    """User text inside a message: in backticks, escaped, and shortened."""
    short = text if len(text) <= limit else text[: limit - 3] + "..."
    return f"`{visible(short)}`"


def listing(words: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [quote(word) for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def suggestion(word: str, known: Iterable[str], shown: int = 20) -> str:
    """A hint for a word that is not known: the nearest one, or the list to choose from."""
    names = sorted(set(known))
    # A key may be as long as the file; nothing we know is, and difflib is quadratic.
    close = get_close_matches(word[:100], names, n=1)
    if close:
        return f"did you mean {quote(close[0])}?"
    if not names:
        return ""
    if len(names) > shown:
        return f"some of the {len(names)} known: {listing(names[:shown])}"
    return f"use {'one of ' if len(names) > 1 else ''}{listing(names, 'or')}"
