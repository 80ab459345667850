"""What is told to people, on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptergen.problems import Problem


def say(text: str) -> None:
    """One message; nothing for an empty one."""
    if text:
        print(text, file=sys.stderr)


def say_problems(problems: Iterable[Problem]) -> None:
    """Problems of specs, each with its place, and how many there are."""
    from adaptergen.problems import render

    found = tuple(problems)
    say(render(found, color=colored()))
    say(f"\n{len(found)} problem{'' if len(found) == 1 else 's'}.")


def colored() -> bool:
    """Whether standard error takes colours: a terminal, and nobody said no."""
    return not os.environ.get("NO_COLOR") and sys.stderr.isatty()
