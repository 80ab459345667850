"""Drift: against what is installed, for one spec and for many, and between locked releases."""

from __future__ import annotations

import shutil
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.building import BUILD, NAMES, copy
from benchmarks.measure import ROOT, SPEC, Figure, in_turns, process, ratio

DRIFT = ("-m", "adaptergen", "drift")
IMPORTS = ("-c", "import torch, transformers, transformer_lens\n")


def drifting(pairs: int, count: int = 20) -> list[Figure]:
    """All of them."""
    one = ratio(
        in_turns(lambda: process(*DRIFT, SPEC).seconds, lambda: process(*IMPORTS).seconds, pairs)
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out"

        def cold() -> float:
            shutil.rmtree(out, ignore_errors=True)
            return process(*BUILD, SPEC, "--out", str(out)).seconds

        between = (*DRIFT, SPEC, "--from", "5.20.2", "--to", "5.23.0")
        light = ratio(in_turns(lambda: process(*between).seconds, cold, pairs))
        specs = folder / "specs"
        shutil.copytree(ROOT / "specs" / "shapes", specs / "shapes")
        made = [copy(specs, one, n) for n, one in enumerate(islice(cycle(NAMES), count))]
        for path, known in zip(made, cycle(NAMES), strict=False):
            shutil.copy(ROOT / "specs" / f"{known}.lock.json", specs / f"{path.stem}.lock.json")
        more = [_wall(made) - _wall(made[:1]) for _ in range(pairs)]
    return [
        Figure("`drift` of one spec, to importing torch, transformers and TL", one, 2.0),
        Figure(
            f"`drift` of {count} specs, more than of one", sorted(more)[len(more) // 2], 4.0, "s",
            note="time on the clock, on the cores of this machine",
        ),
        Figure("`drift --from --to`, to the cold build", light, 0.5),
    ]  # fmt: skip


def _wall(specs: list[Path]) -> float:
    start = time.perf_counter()
    process(*DRIFT, *map(str, specs))
    return time.perf_counter() - start
