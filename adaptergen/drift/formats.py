"""Reports for people: on a terminal, as annotations of GitHub, and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from adaptergen.drift.finding import SEVERITIES, Finding
from adaptergen.drift.report import Report, SpecDrift
from adaptergen.problems import annotation, visible

_LEVELS = {"breaking": "error", "silent": "warning", "benign": "notice"}


def as_text(report: Report) -> str:
    """A paragraph a finding."""
    lines = []
    for result in report.results:
        lines.append(f"{result.architecture} ({result.spec}), {result.between}: {_counted(result)}")
        for finding in result.findings:
            lines += ["", f"  {finding.severity}: {sentence(finding)}"]
            if finding.hf:
                lines.append(
                    f"    HF: {finding.hf}{f' ({finding.source})' if finding.source else ''}"
                )
            lines += [f"    {line}" for line in (_spec(finding),) if line]
        lines.append("")
    return "\n".join([*lines, report.summary]) + "\n"


def as_github(report: Report) -> str:
    """Annotations that GitHub shows at the lines of the specs."""
    lines = []
    for result in report.results:
        for finding in result.findings:
            title = f"{finding.severity}: {result.architecture}, {result.between}"
            parts = [sentence(finding), finding.hf and f"HF: {finding.hf}", finding.mend]
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
            lines += [
                "| Severity | What | Hugging Face | Spec | What to do |",
                "| --- | --- | --- | --- | --- |",
            ]
        for severity in SEVERITIES:
            for finding in result.of(severity):
                hf = f"`{finding.hf}`{f' ({finding.source})' if finding.source else ''}" * bool(
                    finding.hf
                )
                spec = f"{finding.file}:{finding.line}" if finding.file else ""
                cells = (severity, sentence(finding), hf, spec, finding.mend)
                lines.append(
                    f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
                )
        lines.append("")
    return "\n".join([*lines, report.summary]) + "\n"


FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text,
    "github": as_github,
    "markdown": as_markdown,
}


def sentence(finding: Finding) -> str:
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


def _spec(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}" if finding.file else ""
    return ": ".join(part for part in (place, finding.mend) if part)
