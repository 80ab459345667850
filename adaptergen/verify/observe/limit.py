"""A limit of time, for models that do not come back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: Seconds that the observation of one spec may take; a tiny model needs less than one.
LIMIT = 120.0


class OutOfTime(Exception):
    """The limit was reached."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` after so many seconds; where there are no signals there is no limit."""
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise OutOfTime(f"it took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
