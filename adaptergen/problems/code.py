"""What a code is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A kind of problem: its title, what it means, and an example of the edit that mends it."""

    title: str
    meaning: str
    mend: str
