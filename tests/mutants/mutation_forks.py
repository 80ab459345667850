"""A fork of this process for each task, some at a time: whatever a mutant does, it does there."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SECONDS = 180


def settle() -> None:
    """Have all that is heavy in the memory that forks share, and keep it from being written to."""
    for name in ("accelerate", "pytest", "torch._dynamo", "transformer_lens.model_bridge"):
        importlib.import_module(name)
    # A fork does not have the threads of its parent.
    importlib.import_module("torch").set_num_threads(1)
    # A collection would write to all of it.
    gc.collect()
    gc.freeze()


def in_forks(
    tasks: Sequence[Any], run: Callable[[Any, Path], Any], workers: int, seconds: int = SECONDS
) -> Iterator[tuple[Any, Any, float]]:
    """Each task, as they end, with what `run` returns of it and the seconds of a core that it took.

    Of one that ends without there is the text `timeout` or `crash`.

    `run` gets a folder of its own, which tasks use one after the other.
    """
    with TemporaryDirectory(prefix="adaptergen-mutants-") as scratch:
        free = [Path(scratch) / str(number) for number in range(workers)]
        for folder in free:
            folder.mkdir()
        waiting, running = list(reversed(tasks)), dict[int, tuple[Any, Path]]()
        try:
            while waiting or running:
                while waiting and free:
                    task, folder = waiting.pop(), free.pop()
                    running[_start(task, run, folder, seconds)] = task, folder
                process, status, used = os.wait3(0)
                task, folder = running.pop(process)
                free.append(folder)
                yield task, _result(folder, status), used.ru_utime + used.ru_stime
        finally:
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)


def alone(run: Callable[[Path], Any], seconds: int = 900) -> Any:
    """What `run` returns in one fork, for what would leave something behind in this process."""
    ((_, result, _),) = in_forks([None], lambda _, folder: run(folder), 1, seconds)
    return result


def _start(task: Any, run: Callable[[Any, Path], Any], folder: Path, seconds: int) -> int:
    (folder / "result.json").unlink(missing_ok=True)
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    status = 3
    try:
        signal.alarm(seconds)  # nobody handles it, so it ends the process
        output = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        (folder / "result.json").write_text(json.dumps(run(task, folder)))
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _result(folder: Path, status: int) -> Any:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return "timeout"
    if status:
        print((folder / "output.txt").read_text("utf-8", "replace")[-1500:], file=sys.stderr)
        return "crash"
    return json.loads((folder / "result.json").read_text())
