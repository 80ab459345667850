"""A report as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from adaptergen.contract import ModelReport
from adaptergen.problems import visible
from adaptergen.verify.findings import SpecResult
from adaptergen.verify.report import Report

#: How many weights of one finding are named; the JSON has all.
_WEIGHTS = 10

_HEAD = ("kind", "declared", "fired", "silent", "undeclared")


def table(report: Report) -> str:
    """Every model with its figures, then every finding, then the summary."""
    lines = [line for result in report.results for line in _result(result, report.tier)]
    found = [line for result in report.results for line in _findings(result)]
    # What an exception says may hold anything.
    return "\n".join([*map(visible, [*lines, *found]), report.summary])


def _result(result: SpecResult, tier: str) -> Iterator[str]:
    yield f"{result.architecture} ({result.spec}), {tier} tier"
    for report in result.reports:
        yield ""
        yield from _report(report)
    yield ""


def _report(report: ModelReport) -> Iterator[str]:
    yield (
        f"  {report.model}: {report.layers} layers, {report.parameters:,} parameters, "
        f"{report.dtype}, {report.seconds:.1f} s"
    )
    if report.reduced:
        yield f"    reduced     {_pairs(report.reduced)}"
    if report.placement:
        yield f"    placement   {_pairs(report.placement)}"
    for value, runs in groupby(
        sorted(report.parity, key=report.parity.__getitem__), report.parity.get
    ):
        yield f"    parity      {value:g} from HF: {', '.join(runs)}"
    for equal in (True, False):
        ways = [way for way, value in report.generation.items() if value == equal]
        if ways:
            yield f"    generation  {'equal to' if equal else 'NOT equal to'} HF: {', '.join(ways)}"
    if report.measured:
        counted = ", ".join(f"{number} {name}" for name, number in report.measured.items())
        yield f"    looked at   {counted}"
    if report.hooks:
        # Where nothing ran, nothing could fire.
        ran = any(counts.fired for counts in report.hooks.values())
        head = _HEAD if ran else ("kind", "declared", "undeclared")
        rows = [
            (kind, *(str(len(getattr(counts, name))) for name in head[1:]))
            for kind, counts in report.hooks.items()
        ]
        yield from _rows([head, *rows])


def _rows(rows: list[tuple[str, ...]]) -> Iterator[str]:
    wide = max(len(row[0]) for row in rows)
    for first, *rest in rows:
        cells = (cell.rjust(len(head)) for cell, head in zip(rest, rows[0][1:], strict=True))
        yield f"    {first.ljust(wide)}  {'  '.join(cells)}"


def _findings(result: SpecResult) -> Iterator[str]:
    for told in result.told:
        one = told.finding
        where = f"{one.at.file}:{one.at.line}: " if one.at.file else ""
        on = f"layer{'' if len(told.layers) == 1 else 's'} {', '.join(map(str, told.layers))}"
        parts = [on if told.layers else "", ", ".join(told.kinds), one.at.hook or ""]
        yield f"{where}{one.check}: {one.what}"
        yield f"  where: {'; '.join(part for part in [*parts, ', '.join(told.models)] if part)}"
        if told.weights:
            more = len(told.weights) - _WEIGHTS
            names = ", ".join(told.weights[:_WEIGHTS])
            yield f"  weights: {names}{f' and {more} more' if more > 0 else ''}"
        yield f"  expected {one.expected}; measured {one.measured}"
        yield f"  hint: {one.mend}"
        yield ""


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
