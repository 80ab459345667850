"""Run code of transformers or of a checkpoint, which may raise anything, hang or end its process.

What it raises becomes a `Failed` with one problem. Jobs run in forked processes, each with a time
limit: a forward that hangs may hang in C, where no exception gets in, and a kernel may end its
process.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from adaptergen.problems import Failed, Problem

Given = ParamSpec("Given")
Result = TypeVar("Result")

#: The longest reason that a message repeats, in characters.
_LONGEST = 300

#: New objects, less those that are gone, after which Python looks for garbage: a model makes many
#: at once that live as long as it does.
_COLLECTED_AFTER = 1_000_000

#: Where packages are installed differs from machine to machine.
_INSTALLED = re.compile(r"[^\s'\"(]*/site-packages/")


def failed(code: str, message: str, hint: str) -> Failed:
    """The failure of one target."""
    return Failed([Problem(code, message, hint)])


def reason(error: BaseException) -> str:
    """The type of an error and its message on one line, shortened; files from their package on."""
    text = _INSTALLED.sub("", " ".join(str(error).split()))
    text = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def attempted(
    function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result | None:
    """What the function returns; None where it raises."""
    try:
        return function(*args, **kwargs)
    except Exception:  # configs and models raise errors of any class, some of their own making
        return None


def guarded(code: str, what: str, hint: str, function: Callable[[], Any]) -> Any:
    """What the function returns; a failure of that code if it raises anything."""
    try:
        return function()
    except Failed:
        raise
    except ImportError as error:
        raise import_failed(what, error) from error
    except Exception as error:
        raise failed(code, f"{what}: {reason(error)}", hint) from error


def import_failed(what: str, error: ImportError) -> Failed:
    """The failure where a package is missing or does not fit."""
    fix = f"pip install {error.name}" if error.name else "install what the message names"
    return failed("hf-import", f"{what}: {reason(error)}", fix)


@dataclass(frozen=True)
class Job(Generic[Result]):
    """A function and its title in messages; what the function returns has to be picklable."""

    title: str
    function: Callable[[], Result]

    def outcome(self) -> Result | Failed:
        """What the function returns, or failed with."""
        try:
            return self.function()
        except Failed as error:
            return error
        except BaseException as error:  # a bug in adaptergen, or an exit that transformers asks for
            if os.environ.get("ADAPTERGEN_TRACEBACK"):
                sys.excepthook(type(error), error, error.__traceback__)
            hint = "run it with ADAPTERGEN_TRACEBACK=1 to see where"
            return failed("hf-crash", f"{self.title} cannot be observed: {reason(error)}", hint)


def limited(job: Job[Result], seconds: float) -> Result:
    """What the job returns.

    Raises `Failed`: what the job failed with, `hf-time` after so many seconds, or `hf-crash` where
    the process ended without an answer. Where a system cannot fork, there is no limit.
    """
    (found,) = each_limited([job], seconds)
    if isinstance(found, Failed):
        raise found
    return found


def each_limited(
    jobs: Sequence[Job[Result]],
    seconds: float,
    *,
    alone: bool = False,
    memory: int | None = None,
    told: Callable[[int, Result | Failed], None] = lambda job, outcome: None,
) -> list[Result | Failed]:
    """The outcome of each job, in their order; `told` hears of each as it comes.

    There are as many processes as cores. One that has answered does the next job, so that what is
    prepared when it is first used is prepared once, unless each job is to be `alone`; one that is
    late or has ended is replaced. None gets more than so many bytes of `memory`, where the system
    counts them.
    """
    if not hasattr(os, "fork"):
        outcomes = [job.outcome() for job in jobs]
        for number, outcome in enumerate(outcomes):
            told(number, outcome)
        return outcomes
    # What is forked shares memory as long as nobody touches it, and looking for garbage does.
    gc.freeze()
    found: dict[int, Result | Failed] = {}
    waiting = list(reversed(range(len(jobs))))
    busy: list[_Worker] = []
    idle: list[_Worker] = []
    try:
        while waiting or busy:
            while waiting and len(busy) < _cores():
                busy.append(idle.pop() if idle else _Worker(jobs, busy, memory))
                busy[-1].begin(waiting.pop(), seconds)
            left = min(worker.end for worker in busy) - time.monotonic()
            wait([worker.pipe for worker in busy], max(left, 0))
            for worker in [w for w in busy if w.pipe.poll() or w.end <= time.monotonic()]:
                busy.remove(worker)
                found[worker.job] = worker.answer(seconds)
                if alone and worker.alive:
                    worker.stop()
                if worker.alive:
                    idle.append(worker)
                told(worker.job, found[worker.job])
    finally:
        for worker in (*busy, *idle):
            worker.stop()
    return [found[number] for number in range(len(jobs))]


class _Worker:
    """A forked process that does one job after the other."""

    def __init__(
        self, jobs: Sequence[Job[Any]], others: Sequence[_Worker], memory: int | None
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        # Ends that it does not use have to be closed in it, or it would not see the pipe close.
        unused = [self.pipe, *(worker.pipe for worker in others)]
        self._process = context.Process(
            target=_work, args=(jobs, theirs, unused, memory), daemon=True
        )
        self._process.start()
        theirs.close()
        self._jobs, self.alive, self.job, self.end = jobs, True, -1, 0.0

    def begin(self, job: int, seconds: float) -> None:
        """Send it the number of a job."""
        self.job, self.end = job, time.monotonic() + seconds
        self.pipe.send(job)

    def answer(self, seconds: float) -> Any:
        """The outcome of the job; where there is none, `Failed`, and the worker is stopped."""
        title = self._jobs[self.job].title
        if self.pipe.poll():  # there is an answer, or the process has ended
            try:
                return self.pipe.recv()
            except (EOFError, OSError):
                self.stop()
                hint = "run it with ADAPTERGEN_TRACEBACK=1 to see what it says"
                return failed("hf-crash", f"{title} ended the process that observed it", hint)
        self.stop()
        hint = "raise --time-limit if the model is only slow"
        return failed("hf-time", f"{title} took longer than {seconds:g} seconds", hint)

    def stop(self) -> None:
        """End it: it has answered or it is late, and in both cases there is nothing to wait for."""
        self._process.kill()
        self._process.join()
        self.pipe.close()
        self.alive = False


def _work(
    jobs: Sequence[Job[Any]], pipe: Connection, unused: Sequence[Connection], memory: int | None
) -> None:
    for other in unused:
        other.close()
    if memory is not None:
        _limit_memory(memory)
    gc.set_threshold(_COLLECTED_AFTER)
    if not os.environ.get("ADAPTERGEN_TRACEBACK"):
        nothing = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nothing, stream)
    while True:
        try:
            number = pipe.recv()
        except EOFError:  # the parent asks for no more jobs
            return
        pipe.send(jobs[number].outcome())


def _limit_memory(more: int) -> None:
    """Let this process have so many bytes more than it shares with the one that forked it."""
    # Elsewhere limits are not kept, or count what is only reserved.
    if sys.platform == "linux":
        import resource

        status = Path("/proc/self/status").read_text(encoding="utf-8")
        now = int(status.partition("VmData:")[2].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (now + more, now + more))


def _cores() -> int:
    # Linux says which of them this process may use.
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
