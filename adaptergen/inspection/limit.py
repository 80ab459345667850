"""Run code of others apart from ours: in forked processes, each job for so long and no longer.

A forward that hangs may hang in C, where no exception gets in, and a kernel may end its process.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from adaptergen.inspection.failures import failed, reason
from adaptergen.problems import Failed

Result = TypeVar("Result")

#: New objects, less those that are gone, after which Python looks for garbage: a model makes many
#: at once that live as long as it does.
_COLLECTED_AFTER = 1_000_000


@dataclass(frozen=True)
class Job(Generic[Result]):
    """A function, and what it is called; what it returns has to be picklable."""

    what: str
    function: Callable[[], Result]

    def done(self) -> Result | Failed:
        """What the function returns, or failed with."""
        try:
            return self.function()
        except Failed as error:
            return error
        except BaseException as error:  # our own mistake, or an exit that transformers asks for
            if os.environ.get("ADAPTERGEN_TRACEBACK"):
                sys.excepthook(type(error), error, error.__traceback__)
            hint = "run it with ADAPTERGEN_TRACEBACK=1 to see where"
            return failed("hf-crash", f"{self.what} cannot be observed: {reason(error)}", hint)


def limited(job: Job[Result], seconds: float) -> Result:
    """What the job returns.

    Raises `Failed`: what the job failed with, `hf-time` after so many seconds, or `hf-crash` where
    the process ended without an answer. Where a system cannot fork, there is no limit.
    """
    (found,) = each_limited([job], seconds)
    if isinstance(found, Failed):
        raise found
    return found


def each_limited(jobs: Sequence[Job[Result]], seconds: float) -> list[Result | Failed]:
    """What comes of each job, in their order.

    There are as many processes as cores. One that has answered does the next job, so that what is
    prepared when it is first used is prepared once; one that is late or has ended is replaced.
    """
    if not hasattr(os, "fork"):
        return [job.done() for job in jobs]
    # What is forked shares memory as long as nobody touches it, and looking for garbage does.
    gc.freeze()
    found: dict[int, Result | Failed] = {}
    waiting = list(reversed(range(len(jobs))))
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < _cores():
                busy.append(idle.pop() if idle else _Worker(jobs, busy))
                busy[-1].begin(waiting.pop(), seconds)
            left = min(worker.end for worker in busy) - time.monotonic()
            wait([worker.pipe for worker in busy], max(left, 0))
            for worker in [worker for worker in busy if worker.has_answered or worker.is_late]:
                busy.remove(worker)
                found[worker.job] = worker.answer(jobs[worker.job].what, seconds)
                if worker.alive:
                    idle.append(worker)
    finally:
        for worker in (*busy, *idle):
            worker.stop()
    return [found[number] for number in range(len(jobs))]


class _Worker:
    """A forked process that does one job after the other."""

    def __init__(self, jobs: Sequence[Job[Any]], others: Sequence[_Worker]) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        # Ends that it does not use have to be closed in it, or it would not see the pipe close.
        unused = [self.pipe, *(worker.pipe for worker in others)]
        self._process = context.Process(target=_work, args=(jobs, theirs, unused), daemon=True)
        self._process.start()
        theirs.close()
        self.alive, self.job, self.end = True, -1, 0.0

    def begin(self, job: int, seconds: float) -> None:
        """Let it do a job."""
        self.job, self.end = job, time.monotonic() + seconds
        self.pipe.send(job)

    @property
    def has_answered(self) -> bool:
        """Whether there is an answer, or an end."""
        return self.pipe.poll()

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return self.end <= time.monotonic()

    def answer(self, what: str, seconds: float) -> Any:
        """What came of the job; where nothing did, `Failed`, and the worker is gone."""
        if self.has_answered:
            try:
                return self.pipe.recv()
            except (EOFError, OSError):
                self.stop()
                hint = "run it with ADAPTERGEN_TRACEBACK=1 to see what it says"
                return failed("hf-crash", f"{what} ended the process that observed it", hint)
        self.stop()
        hint = "raise --time-limit if the model is only slow"
        return failed("hf-time", f"{what} took longer than {seconds:g} seconds", hint)

    def stop(self) -> None:
        """End it: it has answered or it is late, and in both cases there is nothing to wait for."""
        self._process.kill()
        self._process.join()
        self.pipe.close()
        self.alive = False


def _work(jobs: Sequence[Job[Any]], pipe: Connection, unused: Sequence[Connection]) -> None:
    for other in unused:
        other.close()
    gc.set_threshold(_COLLECTED_AFTER)
    if not os.environ.get("ADAPTERGEN_TRACEBACK"):
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nothing, stream)
    while True:
        try:
            number = pipe.recv()
        except EOFError:  # nobody asks any more
            return
        pipe.send(jobs[number].done())


def _cores() -> int:
    # Linux says which of them this process may use.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
