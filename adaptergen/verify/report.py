"""What was measured of specs: the results of a call, its record, and its table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from adaptergen.contract import Finding, ModelReport
from adaptergen.problems import visible
from adaptergen.records import HOOK_STATES, VerifyFailure, VerifyRecord


@dataclass(frozen=True)
class GroupedFinding:
    """A finding, and everywhere it is the same: models, kinds of layer, layers, weights."""

    finding: Finding
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    layers: tuple[int, ...]
    weights: tuple[str, ...]


@dataclass(frozen=True)
class SpecResult:
    """What was measured of one spec, a report a model."""

    module: str
    spec: str
    architecture: str
    reports: tuple[ModelReport, ...]

    @property
    def grouped(self) -> tuple[GroupedFinding, ...]:
        """Each finding once: what all layers have is wrong on all of them."""
        alike: dict[Finding, list[tuple[str, Finding]]] = {}
        for report in self.reports:
            for one in report.findings:
                anywhere = replace(
                    one, mend="", at=replace(one.at, layer=None, kind=None, weight=None)
                )
                alike.setdefault(anywhere, []).append((report.model, one))
        return tuple(_grouped(group) for group in alike.values())


def _grouped(group: list[tuple[str, Finding]]) -> GroupedFinding:
    spots = [finding.at for _, finding in group]
    return GroupedFinding(
        finding=group[0][1],
        models=tuple(dict.fromkeys(model for model, _ in group)),
        kinds=tuple(dict.fromkeys(spot.kind for spot in spots if spot.kind)),
        layers=tuple(sorted({spot.layer for spot in spots if spot.layer is not None})),
        weights=tuple(spot.weight for spot in spots if spot.weight),
    )


@dataclass(frozen=True)
class Report:
    """Results of each spec, and the most memory that was held meanwhile, in bytes."""

    tier: str
    results: tuple[SpecResult, ...]
    warnings: tuple[str, ...]
    peak_memory: int | None

    @property
    def seconds(self) -> float:
        """What all measurements took, without imports."""
        return sum(one.seconds for result in self.results for one in result.reports)

    @property
    def exit_code(self) -> int:
        """1 if anything is not as promised."""
        return int(any(one.findings for result in self.results for one in result.reports))

    @property
    def summary(self) -> str:
        """The last sentence."""
        models = sum(len(result.reports) for result in self.results)
        on = f"{models} model{'' if models == 1 else 's'}"
        took = f"{self.seconds:.1f} s"
        if self.peak_memory is not None:
            took += f", {self.peak_memory / 2**30:.1f} GiB at most"
        number = sum(len(result.grouped) for result in self.results)
        if not number:
            return f"Fine: all as promised on {on} ({took})."
        return f"{number} finding{'' if number == 1 else 's'} on {on} ({took})."


def verify_record(report: Report) -> VerifyRecord:
    """Everything that was measured, for programs."""
    return VerifyRecord(
        tier=report.tier,
        outcome="differs" if report.exit_code else "fine",
        exit_code=report.exit_code,
        summary=report.summary,
        warnings=report.warnings,
        seconds=report.seconds,
        peak_memory=report.peak_memory,
        specs=report.results,
        **{
            name: {
                result.module: {one.model: getattr(one, name) for one in result.reports}
                for result in report.results
            }
            for name in ("parity", "generation", "dimensions")
        },
        hooks={
            name: {result.module: _hooks(result, name) for result in report.results}
            for name in HOOK_STATES
        },
        failures=[
            VerifyFailure(
                module=result.module,
                model=one.model,
                check=finding.check,
                **vars(finding.at),
                what=finding.what,
                expected=finding.expected,
                measured=finding.measured,
                mend=finding.mend,
            )
            for result in report.results
            for one in result.reports
            for finding in one.findings
        ],
    )


def _hooks(result: SpecResult, name: str) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for one in result.reports:
        for kind, counts in one.hooks.items():
            found.setdefault(kind, set()).update(getattr(counts, name))
    return {kind: sorted(names) for kind, names in found.items()}


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
        wide = max(map(len, (head[0], *report.hooks)))
        yield f"    {'  '.join((head[0].ljust(wide), *head[1:]))}"
        for kind, counts in report.hooks.items():
            cells = (str(len(getattr(counts, name))).rjust(len(name)) for name in head[1:])
            yield f"    {'  '.join((kind.ljust(wide), *cells))}"


def _findings(result: SpecResult) -> Iterator[str]:
    for group in result.grouped:
        one = group.finding
        where = f"{one.at.file}:{one.at.line}: " if one.at.file else ""
        on = f"layer{'' if len(group.layers) == 1 else 's'} {', '.join(map(str, group.layers))}"
        parts = [on if group.layers else "", ", ".join(group.kinds), one.at.hook or ""]
        yield f"{where}{one.check}: {one.what}"
        yield f"  where: {'; '.join(part for part in [*parts, ', '.join(group.models)] if part)}"
        if group.weights:
            more = len(group.weights) - _WEIGHTS
            names = ", ".join(group.weights[:_WEIGHTS])
            yield f"  weights: {names}{f' and {more} more' if more > 0 else ''}"
        yield f"  expected {one.expected}; measured {one.measured}"
        yield f"  hint: {one.mend}"
        yield ""


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
