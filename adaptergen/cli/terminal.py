"""What is told to people, on standard error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptergen.problems import Failed


def say(text: str) -> None:
    """One message; nothing for an empty one."""
    if text:
        print(text, file=sys.stderr)


def say_problems(failed: Failed) -> None:
    """Problems of specs, each with its place, and how many there are."""
    from adaptergen.problems import render

    say(render(failed.shown, color=colored()))
    say(f"\n{failed.summary}")


def colored() -> bool:
    """Whether standard error takes colours: a terminal that knows them, and nobody said no."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and sys.stderr.isatty()
