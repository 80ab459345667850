"""Where an entry belongs among others: in order where they are in order, or else at the end."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

#: So many neighbours in order are taken for an order that someone keeps.
RUN = 4

Key = tuple["str | int", ...]


def key_of(name: str) -> Key:
    """Names are in order without regard to case, numbers in them by value, as isort has it."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts))


def place(names: Sequence[str | None], groups: Sequence[int], name: str) -> int | None:
    """Before which of the others `name` belongs, or None: they are in no order around it.

    `groups` numbers the groups that comments or blank lines make of the entries. An entry that
    has no name (None) has no place in any order.
    """
    keys = [None if one is None else key_of(one) for one in names]
    new = key_of(name)
    known = [key for key in keys if key is not None]
    if len(set(groups)) <= 1 and len(known) == len(keys) and known == sorted(known):
        return bisect_right(known, new)
    best: tuple[int, int] | None = None
    for start, end in _runs(keys, groups):
        run = [key for key in keys[start:end] if key is not None]
        at = bisect_right(run, new)
        if len(run) >= RUN and 0 < at < len(run) and (best is None or len(run) > best[0]):
            best = len(run), start + at
    return best[1] if best else None


def _runs(keys: Sequence[Key | None], groups: Sequence[int]) -> list[tuple[int, int]]:
    """The longest stretches in ascending order, each within one group."""
    runs, start = [], 0
    for number in range(1, len(keys) + 1):
        if number < len(keys):
            one, other = keys[number - 1], keys[number]
            same = groups[number - 1] == groups[number]
            if same and one is not None and other is not None and one < other:
                continue
        runs.append((start, number))
        start = number
    return runs
