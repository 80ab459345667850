"""What was found for the specs of one call."""

from __future__ import annotations

from dataclasses import dataclass

from adaptergen.drift.finding import SEVERITIES, Finding, Severity


@dataclass(frozen=True)
class SpecDrift:
    """The findings for one spec, between two releases as its lock names them."""

    module: str
    spec: str
    architecture: str
    old: str
    new: str
    findings: tuple[Finding, ...]

    @property
    def between(self) -> str:
        """Both releases in words; TransformerLens only where it is another."""
        (old, old_tl), (new, new_tl) = self.old.split("/"), self.new.split("/")
        tl = f" and TransformerLens {old_tl} to {new_tl}" if old_tl != new_tl else ""
        return f"transformers {old} to {new}{tl}"

    def of(self, severity: Severity) -> list[Finding]:
        """The findings of a severity."""
        return [finding for finding in self.findings if finding.severity == severity]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each severity."""
        return {severity: len(self.of(severity)) for severity in SEVERITIES}


@dataclass(frozen=True)
class Report:
    """All specs of a call."""

    results: tuple[SpecDrift, ...]

    @property
    def exit_code(self) -> int:
        """1 if anything but benign was found."""
        return int(
            any(result.counts["breaking"] + result.counts["silent"] for result in self.results)
        )

    @property
    def summary(self) -> str:
        """One sentence."""
        total = {s: sum(result.counts[s] for result in self.results) for s in SEVERITIES}
        if not any(total.values()):
            return "Nothing changed that an adapter rests on."
        return f"{', '.join(f'{number} {word}' for word, number in total.items())}."
