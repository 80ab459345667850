"""What is measured and how: figures with their targets, pairs in turns, processes."""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SPEC = "specs/nemotron_h.yaml"


@dataclass(frozen=True)
class Figure:
    """One line of the page: what was measured, and the most that it may be (None: no target)."""

    what: str
    value: float
    target: float | None = None
    unit: str = "times"
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether it is within its target."""
        return self.target is None or self.value <= self.target


@dataclass(frozen=True)
class Ended:
    """A process that ended well: its processor time in seconds, and the most memory it held."""

    seconds: float
    megabytes: float
    out: str


def process(*arguments: str, cwd: Path = ROOT, cache: str | Path = "off") -> Ended:
    """Run a Python with these arguments to its end; `cache` is the memory of builds."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ, "ADAPTERGEN_CACHE": str(cache), "PYTHONPATH": paths,
        "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        out = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {arguments}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Ended(usage.ru_utime + usage.ru_stime, kilobytes / 1000, out)


def in_turns(
    first: Callable[[], float], second: Callable[[], float], pairs: int
) -> list[tuple[float, float]]:
    """The seconds of both, in turns, each going first in every other pair."""
    found = []
    for number in range(pairs):
        if number % 2:
            later = second()
            found.append((first(), later))
        else:
            found.append((first(), second()))
    return found


def ratio(pairs: Sequence[tuple[float, float]]) -> float:
    """The median of the ratios of pairs."""
    return statistics.median(first / second for first, second in pairs)


def seconds(call: Callable[[], object], repeat: int = 1) -> float:
    """The processor time of one call, over several in a row; no garbage is collected meanwhile."""
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        for _ in range(repeat):
            call()
        return (time.process_time() - start) / repeat
    finally:
        if collecting:
            gc.enable()
