"""Findings of several kinds of layer made one, and their words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from adaptergen.records import SEVERITIES
from adaptergen.records import DriftFinding as Finding


def united(findings: Iterable[Finding]) -> list[Finding]:
    """Each change once, of all kinds of layer that show it; the worst first."""
    found: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        key = (finding.code, finding.severity, finding.what, *finding.paths)
        known = found.setdefault(key, finding)
        if known is not finding and known.branch == finding.branch:
            kinds = tuple(sorted({*known.kinds, *finding.kinds}))
            layers = tuple(sorted({*known.layers, *finding.layers}))
            found[key] = replace(known, kinds=kinds, layers=layers)
    return sorted(found.values(), key=_rank)


def _rank(finding: Finding) -> tuple[object, ...]:
    severity = SEVERITIES.index(finding.severity)
    return severity, finding.layers, finding.kinds, finding.code, finding.paths


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
