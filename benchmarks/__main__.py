"""Measure everything, and write the page: `make bench`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from benchmarks import building, drifting, running
from benchmarks.measure import ROOT, Figure
from benchmarks.page import page, row

#: From here on, other programs stand in the way of what is measured.
BUSY = 2.5


def main() -> int:
    """All figures; 1 if any misses its target."""
    if os.getloadavg()[0] > BUSY:
        print("This machine is busy: figures will be rough.", file=sys.stderr)
    figures: list[Figure] = []
    measurements: tuple[Callable[[], list[Figure]], ...] = (
        lambda: building.single(9),
        lambda: building.many(150),
        lambda: running.wide(8),
        lambda: running.tiny(40),
        lambda: running.cached(40),
        lambda: running.few_hooks(40),
        lambda: running.verify(3),
        lambda: drifting.drifting(3),
    )
    for measure in measurements:
        for figure in measure():
            print(row(figure), end="", flush=True)
            figures.append(figure)
    (ROOT / "docs" / "benchmarks.md").write_text(page(figures), encoding="utf-8", newline="\n")
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
