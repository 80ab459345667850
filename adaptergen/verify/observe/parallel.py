"""Work on many specs at once, in processes that share what has been imported."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: With fewer, starting processes takes longer than the work.
FEWEST = 4

# What a process inherits when it is forked; nothing of it has to be pickled.
_work: tuple[Callable[[Any], Any], Sequence[Any]] | None = None


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """The function of each item, in their order; what it returns and raises has to be picklable."""
    # Elsewhere a forked process cannot use all libraries.
    if len(items) < FEWEST or not sys.platform.startswith("linux"):
        return [function(item) for item in items]
    workers = min(len(os.sched_getaffinity(0)), len(items))
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, initializer=_inherit, initargs=(function, items)) as pool:
        return pool.map(_at, range(len(items)), chunksize=1)


def _inherit(function: Callable[[Any], Any], items: Sequence[Any]) -> None:
    global _work
    _work = function, items


def _at(number: int) -> Any:
    assert _work is not None
    function, items = _work
    return function(items[number])
