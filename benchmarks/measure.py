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

# A small process between this one and the one that is measured: the system counts, as the peak
# memory of a process, what the one that started it held, and here that may be torch.
_WATCH = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"\\n{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
sys.exit(code)
"""


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
    # An installed library has its bytecode beside it: let Python keep ours too.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {
        **kept, "ADAPTERGEN_CACHE": str(cache), "PYTHONPATH": paths,
        "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-I", "-c", _WATCH, sys.executable, *arguments],
        cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"exit code {ended.returncode}: {arguments}")
    out, _, last = ended.stdout.rstrip("\n").rpartition("\n")
    seconds, maximum = last.split()
    kilobytes = float(maximum) / (1024 if sys.platform == "darwin" else 1)
    return Ended(float(seconds), kilobytes / 1000, out)


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
