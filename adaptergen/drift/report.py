"""What was found for the specs of one call, and reports of it.

They are for a terminal, as annotations of GitHub, and as Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from adaptergen.drift.finding import SEVERITIES, Finding
from adaptergen.problems import annotation, visible

_LEVELS = {"breaking": "error", "silent": "warning", "benign": "notice"}


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

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each severity."""
        severities = [finding.severity for finding in self.findings]
        return {severity: severities.count(severity) for severity in SEVERITIES}


@dataclass(frozen=True)
class Report:
    """All specs of a call."""

    results: tuple[SpecDrift, ...]

    @property
    def exit_code(self) -> int:
        """1 if anything but benign was found."""
        return int(
            any(found.severity != "benign" for one in self.results for found in one.findings)
        )

    @property
    def summary(self) -> str:
        """One sentence."""
        total = {s: sum(result.counts[s] for result in self.results) for s in SEVERITIES}
        if not any(total.values()):
            return "Nothing changed that an adapter rests on."
        return f"{', '.join(f'{number} {word}' for word, number in total.items())}."


def as_text(report: Report) -> str:
    """A paragraph a finding."""
    lines = []
    for result in report.results:
        lines.append(f"{result.architecture} ({result.spec}), {result.between}: {_counted(result)}")
        for finding in result.findings:
            lines += ["", f"  {finding.severity}: {_sentence(finding)}"]
            if finding.hf:
                source = f" ({finding.source})" if finding.source else ""
                lines.append(f"    HF: {finding.hf}{source}")
            parts = [part for part in (_spec_line(finding), finding.fix) if part]
            lines += [f"    {': '.join(parts)}"] if parts else []
        lines.append("")
    return "\n".join([*lines, report.summary]) + "\n"


def as_github(report: Report) -> str:
    """Annotations that GitHub shows at the lines of the specs."""
    lines = []
    for result in report.results:
        for finding in result.findings:
            title = f"{finding.severity}: {result.architecture}, {result.between}"
            parts = [_sentence(finding), finding.hf and f"HF: {finding.hf}", finding.fix]
            message = ". ".join(part for part in parts if part)
            level, file = _LEVELS[finding.severity], finding.file or result.spec
            lines.append(annotation(level, message, title, file, finding.line))
    return "".join(f"{line}\n" for line in [*lines, report.summary])


def as_markdown(report: Report) -> str:
    """A table a spec."""
    lines = []
    for result in report.results:
        lines += [f"### `{result.architecture}`: {result.between}", "", f"{_counted(result)}.", ""]
        if result.findings:
            lines.append("| Severity | What | Hugging Face | Spec | What to do |")
            lines.append("| --- | --- | --- | --- | --- |")
        for finding in sorted(result.findings, key=lambda one: SEVERITIES.index(one.severity)):
            source = f" ({finding.source})" if finding.source else ""
            hf = f"`{finding.hf}`{source}" if finding.hf else ""
            cells = (finding.severity, _sentence(finding), hf, _spec_line(finding), finding.fix)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join([*lines, report.summary]) + "\n"


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "github": as_github,
    "markdown": as_markdown,
}


def _sentence(finding: Finding) -> str:
    """Where in the model, then what."""
    subject = ", ".join(f"`{path}`" for path in finding.paths if path)
    if finding.code in ("kind-renamed", "kind-gone"):
        subject = ""
    elif finding.code in ("path-renamed", "argument-renamed"):
        # The other names are in the sentence.
        subject = f"`{finding.paths[0]}`" if finding.paths[0] else ""
    kinds = ", ".join(kind for kind in finding.kinds if kind != "model")
    if kinds and finding.layers:
        plural = "s" if len(finding.layers) > 1 else ""
        kinds += f" (layer{plural} {', '.join(map(str, finding.layers))})"
    if finding.branch:
        kinds += f"{', ' if kinds else ''}in the tiny model `{finding.branch}`"
    where = ": ".join(part for part in (kinds, subject) if part)
    # What HF raises is text of others.
    return visible(f"{where}: {finding.what}" if where else finding.what)


def _counted(result: SpecDrift) -> str:
    if not result.findings:
        return "nothing changed that it rests on"
    return ", ".join(f"{number} {word}" for word, number in result.counts.items())


def _spec_line(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}" if finding.file else ""
