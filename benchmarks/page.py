"""`docs/benchmarks.md`: every figure with its target, and what it was measured with."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version

from benchmarks.measure import Figure

PACKAGES = ("adaptergen", "black", "isort", "pydantic", "torch", "transformers", "transformer-lens")

INTRO = """\
# Benchmarks

<!-- Written by `make bench`. -->

Ratios of processor time, both sides in turns in one run, medians of pairs; `benchmarks/` says how
each is taken. A cold build starts with an empty folder and an empty memory of earlier builds. What
it is compared with imports the same libraries and formats the same texts, with nothing around it.
A test holds the imports of the two together; both find the bytecode of what they import. Only a
build tells Python to collect garbage seldom, and not at all on its way out.

What a cold build does beyond that is, in this order: importing adaptergen itself, reading the YAML
of the spec and its shapes in Python, compiling templates, making validators, digesting its inputs
for the memory of builds, writing. A YAML parser in C would read YAML 1.1 and say other things of
mistakes; compiled templates that are kept would be one more memory that can be stale.

| What | Measured | At most | |
| --- | --- | --- | --- |
"""


def page(figures: Sequence[Figure]) -> str:
    """The Markdown of the page."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    rows = "".join(row(figure) for figure in figures)
    return f"{INTRO}{rows}\nPython {platform.python_version()}, {versions}.\n"


def row(figure: Figure) -> str:
    """One line of the table."""
    target = "" if figure.target is None else number(figure.target, figure.unit)
    verdict = "" if figure.target is None else "met" if figure.met else "missed"
    note = f" ({figure.note})" if figure.note else ""
    return f"| {figure.what}{note} | {number(figure.value, figure.unit)} | {target} | {verdict} |\n"


def number(value: float, unit: str) -> str:
    """As precise as it is worth."""
    digits = 0 if abs(value) >= 20 else 1 if unit != "times" else 3 if value < 2 else 1
    return f"{value:.{digits}f}{'' if unit == 'times' else ' ' + unit}"
