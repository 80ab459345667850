"""All results of a call: knows its exit code and its last sentence."""

from __future__ import annotations

from dataclasses import dataclass

from adaptergen.records import HOOK_STATES, VerifyFailure, VerifyRecord
from adaptergen.verify.findings import SpecResult


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
        return sum(
            model_report.seconds for result in self.results for model_report in result.reports
        )

    @property
    def exit_code(self) -> int:
        """1 if anything is not as promised."""
        return int(any(result.findings for result in self.results))

    @property
    def summary(self) -> str:
        """The last sentence."""
        models = sum(len(result.reports) for result in self.results)
        on = f"{models} model{'' if models == 1 else 's'}"
        took = f"{self.seconds:.1f} s"
        if self.peak_memory is not None:
            took += f", {self.peak_memory / 2**30:.1f} GiB at most"
        number = sum(len(result.told) for result in self.results)
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
