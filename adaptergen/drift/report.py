"""What was found for the specs of one call, and reports of it.

They are for a terminal, as annotations of GitHub, and as Markdown. Findings have words in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adaptergen.problems import annotation, visible
from adaptergen.records import SEVERITIES, DriftedSpec, DriftRecord
from adaptergen.records import DriftFinding as Finding

_LEVELS = {"breaking": "error", "silent": "warning", "benign": "notice"}


def drift_record(results: Sequence[DriftedSpec]) -> DriftRecord:
    """The findings for all specs of a call, and the exit code: 1 if any is more than benign."""
    total = {s: sum(result.counts[s] for result in results) for s in SEVERITIES}
    drifted = bool(total["breaking"] or total["silent"])
    summary = f"{', '.join(f'{number} {word}' for word, number in total.items())}."
    return DriftRecord(
        outcome="drifted" if drifted else "fine",
        exit_code=1 if drifted else 0,
        summary=summary if any(total.values()) else "Nothing changed that an adapter rests on.",
        specs=tuple(results),
    )


def as_text(record: DriftRecord) -> str:
    """A paragraph a finding."""
    lines = []
    for result in record.specs:
        lines.append(
            f"{result.architecture} ({result.spec}), {_between(result)}: {_counted(result)}"
        )
        for finding in result.findings:
            lines += ["", f"  {finding.severity}: {_sentence(finding)}"]
            if finding.hf:
                source = f" ({finding.source})" if finding.source else ""
                lines.append(f"    HF: {finding.hf}{source}")
            parts = [part for part in (_spec_line(finding), finding.fix) if part]
            lines += [f"    {': '.join(parts)}"] if parts else []
        lines.append("")
    return "\n".join([*lines, record.summary]) + "\n"


def as_github(record: DriftRecord) -> str:
    """Annotations that GitHub shows at the lines of the specs."""
    lines = []
    for result in record.specs:
        for finding in result.findings:
            title = f"{finding.severity}: {result.architecture}, {_between(result)}"
            parts = [_sentence(finding), finding.hf and f"HF: {finding.hf}", finding.fix]
            message = ". ".join(part for part in parts if part)
            level, file = _LEVELS[finding.severity], finding.file or result.spec
            lines.append(annotation(level, message, title, file, finding.line))
    return "".join(f"{line}\n" for line in [*lines, record.summary])


def as_markdown(record: DriftRecord) -> str:
    """A table a spec."""
    lines = []
    for result in record.specs:
        lines += [
            f"### `{result.architecture}`: {_between(result)}",
            "",
            f"{_counted(result)}.",
            "",
        ]
        if result.findings:
            lines.append("| Severity | What | Hugging Face | Spec | What to do |")
            lines.append("| --- | --- | --- | --- | --- |")
        for finding in sorted(result.findings, key=lambda one: SEVERITIES.index(one.severity)):
            source = f" ({finding.source})" if finding.source else ""
            hf = f"`{finding.hf}`{source}" if finding.hf else ""
            cells = (finding.severity, _sentence(finding), hf, _spec_line(finding), finding.fix)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        lines.append("")
    return "\n".join([*lines, record.summary]) + "\n"


FORMATS: Mapping[str, Callable[[DriftRecord], str]] = {
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


def _between(result: DriftedSpec) -> str:
    """Both releases in words; TransformerLens only where it is another."""
    (old, old_tl), (new, new_tl) = result.old.split("/"), result.new.split("/")
    tl = f" and TransformerLens {old_tl} to {new_tl}" if old_tl != new_tl else ""
    return f"transformers {old} to {new}{tl}"


def _counted(result: DriftedSpec) -> str:
    if not result.findings:
        return "nothing changed that it rests on"
    return ", ".join(f"{number} {word}" for word, number in result.counts.items())


def _spec_line(finding: Finding) -> str:
    return f"{finding.file}:{finding.line}" if finding.file else ""


def change(before: object, after: object) -> str:
    """The old value and the new."""
    return f"changed from {shown(before)} to {shown(after)}"


def shown(value: object) -> str:
    """A value in backticks; nothing, in words."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    return f"`{value}`" if value not in ("", None, "nothing") else "nothing"


def last(qualified: str) -> str:
    """The name of a class or function without its module."""
    return qualified.rpartition(".")[2]


def names(words: Sequence[str]) -> str:
    """`a`, `b` and `c`, however long."""
    quoted = [f"`{word}`" for word in words]
    return " and ".join([*filter(None, [", ".join(quoted[:-1])]), *quoted[-1:]])
