"""All results of a call: knows its exit code and its last sentence."""

from __future__ import annotations

from dataclasses import dataclass

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
