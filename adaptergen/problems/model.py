"""What a problem is.

A mistake of the user is data: a `Problem`, with a code from `CODES`, one sentence, the edit that
mends it, and its place. Problems are gathered, and leave a step as one `Failed` that carries them
all. Any other exception that gets out is a bug of ours. The one exception in between is
`SpecValueError`, for code that knows what is wrong with a value and not where the value stands;
`adaptergen.source.validate` adds the place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from adaptergen.problems.codes import CODES

Item = TypeVar("Item")
Result = TypeVar("Result")
Loc = tuple["str | int", ...]

#: So many problems are told: nobody reads on.
MAX_PROBLEMS = 100

#: After so many, what reads a file stops looking: one of a megabyte can hold a million.
MAX_FOUND = 1000


@dataclass(frozen=True)
class Place:
    """Where in a file. Lines and columns count from 1, columns and lengths in characters.

    What is wrong with a file as a whole stands at 1:1, so that every problem of a file has the
    same `file:line:column` in front, for editors and `grep`.
    """

    path: str
    line: int = 1
    column: int = 1
    length: int = 0


@dataclass(frozen=True)
class Problem:
    """One mistake: what is wrong, how to mend it, and where it is."""

    code: str
    message: str
    hint: str = ""
    place: Place | None = None
    line_text: str | None = None

    @property
    def mend(self) -> str:
        """The hint; without one, the example of the code."""
        example = CODES.get(self.code)
        return self.hint or (f"e.g. {example.mend}" if example else "")

    @property
    def sort_key(self) -> tuple[str, int, int, str, str]:
        """Path, line, column; the rest makes the order total."""
        place = self.place or Place("", 0, 0)
        return (place.path, place.line, place.column, self.code, self.message)


class Failed(Exception):
    """A step could not do its work because of what it was given; carries every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        # Whoever finds a problem once more may have another hint for it.
        told = {problem.sort_key: problem for problem in problems}
        self.problems = tuple(told[key] for key in sorted(told))
        super().__init__(self.problems)

    @property
    def shown(self) -> tuple[Problem, ...]:
        """Those that are told."""
        return self.problems[:MAX_PROBLEMS]

    @property
    def summary(self) -> str:
        """How many there are, and how many of them are told."""
        count = len(self.problems)
        if count <= MAX_PROBLEMS:
            return f"{count} problem{'' if count == 1 else 's'}."
        # With so many, a step may have stopped looking.
        found = f"{MAX_FOUND} or more" if count >= MAX_FOUND else str(count)
        return f"{MAX_PROBLEMS} of {found} problems shown."

    def __str__(self) -> str:
        from adaptergen.problems.render import render

        return render(self.problems)


class SpecValueError(ValueError):
    """A value is wrong; raised where its place is not known (a validator, a name, arithmetic).

    `at` is a location below the value, for a check of a whole model that blames one of its keys.
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
