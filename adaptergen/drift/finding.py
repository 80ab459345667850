"""One thing that changed between two releases, and what it means to those who use the adapter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

#: breaking: the adapter cannot be used as it is, or HF itself raises. silent: it runs, and a hook
#: or a dimension is not what it was. benign: nothing that the adapter rests on.
Severity = Literal["breaking", "silent", "benign"]
SEVERITIES: tuple[Severity, ...] = ("breaking", "silent", "benign")


@dataclass(frozen=True)
class Finding:
    """A change: `what` in a sentence, and where.

    `kinds` are kinds of layer, or `model` outside them; `layers` those of the tiny model; `paths`
    are modules, hooks or fields, within a layer where it is of one. `hf` is a qualified name in
    transformers, `source` its place in what is installed. `line` of `file` is the spec's or
    shape's, `fix` says what to do. `branch` is the tiny model that shows it, if not the first.
    """

    code: str
    severity: Severity
    what: str
    kinds: tuple[str, ...] = ()
    layers: tuple[int, ...] = ()
    paths: tuple[str, ...] = ()
    hf: str = ""
    source: str = ""
    file: str = ""
    line: int | None = None
    fix: str = ""
    branch: str = ""


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
