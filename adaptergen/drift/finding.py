"""One thing that changed between two releases, and what it means to those who use the adapter."""

from __future__ import annotations

from collections.abc import Iterable
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
    shape's, `mend` says what to do. `branch` is the tiny model that shows it, if not the first.
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
    mend: str = ""
    branch: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """What findings of several kinds or branches have in common if they are one."""
        return (self.code, self.severity, self.what, *self.paths)


def united(findings: Iterable[Finding]) -> list[Finding]:
    """Each change once, of all kinds of layer that show it; the worst first."""
    found: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        known = found.get(finding.key)
        if known is None:
            found[finding.key] = finding
        elif known.branch == finding.branch:
            kinds = tuple(sorted({*known.kinds, *finding.kinds}))
            layers = tuple(sorted({*known.layers, *finding.layers}))
            found[finding.key] = replace(known, kinds=kinds, layers=layers)
    return sorted(found.values(), key=_rank)


def _rank(finding: Finding) -> tuple[object, ...]:
    severity = SEVERITIES.index(finding.severity)
    return severity, finding.layers, finding.kinds, finding.code, finding.paths
