"""Run code of others apart from ours: in a process of its own, for so long and no longer.

A forward that hangs may hang in C, where no exception gets in, and a kernel may end its process.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from adaptergen.inspection.failures import failed
from adaptergen.problems import Failed, Problem

#: Seconds for one model class with all its branches.
SECONDS = 120.0


def limited(function: Callable[[], str], seconds: float, what: str) -> str:
    """The text that the function returns, made in a forked process.

    Raises `Failed`: what the function failed with, `hf-time` after so many seconds, or `hf-crash`
    where the process ended without an answer. Where a system cannot fork, there is no limit.
    """
    if not hasattr(os, "fork"):
        return function()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(function, writing)
    os.close(writing)
    try:
        answer = _read(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        # It has answered or it is late: in both cases there is nothing to wait for.
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if answer is None:
        hint = "raise --time-limit if the model is only slow"
        raise failed("hf-time", f"{what} took longer than {seconds:g} seconds", hint)
    if not answer:
        hint = "run it with ADAPTERGEN_TRACEBACK=1 to see what it says"
        raise failed("hf-crash", f"{what} ended the process that observed it", hint)
    kind, _, text = answer.partition("\n")
    if kind == "fine":
        return text
    raise Failed(Problem(**problem) for problem in json.loads(text))


def _answer(function: Callable[[], str], to: int) -> None:
    """In the child: write what comes of it, and end without a word of the parent's."""
    code = 1
    try:
        if not os.environ.get("ADAPTERGEN_TRACEBACK"):
            _silence()
        text = f"fine\n{function()}"
        code = 0
    except Failed as error:
        problems = [{"code": p.code, "message": p.message, "hint": p.hint} for p in error.problems]
        text = f"failed\n{json.dumps(problems)}"
    except BaseException as error:  # our own mistake, or an exit that transformers asks for
        what = {"code": "hf-crash", "message": f"{type(error).__name__}: {error}", "hint": ""}
        text = f"failed\n{json.dumps([what])}"
        if os.environ.get("ADAPTERGEN_TRACEBACK"):
            sys.excepthook(type(error), error, error.__traceback__)
    with suppress(OSError), os.fdopen(to, "w", encoding="utf-8") as pipe:
        pipe.write(text)
    os._exit(code)


def _silence() -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nothing, stream)


def _read(pipe: int, end: float) -> str | None:
    """All that comes; None if it is not complete by then."""
    parts: list[bytes] = []
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        part = os.read(pipe, 1 << 16)
        if not part:
            return b"".join(parts).decode("utf-8")
        parts.append(part)
