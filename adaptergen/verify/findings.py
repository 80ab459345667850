"""What was measured, and what of it is not as promised. Needs nothing but the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

#: Where a finding stands that is about no layer.
MODEL = "model"


class Written(Protocol):
    """Something with the line of a file, a spec or a shape, that says it."""

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...


@dataclass(frozen=True)
class Spot:
    """Where something is: in the model, and in the file that promises it.

    `layer` counts from 0, `kind` is the kind of that layer, `hook` a name within it, `weight` the
    whole name of one. The promise is made at `line` of `file`; None where it is not one line's.
    """

    layer: int | None = None
    kind: str | None = None
    hook: str | None = None
    file: str | None = None
    line: int | None = None
    weight: str | None = None

    @classmethod
    def of(
        cls, written: Written | None, layer: int | None, kind: str | None, hook: str | None = None
    ) -> Spot:
        """The place in the model, promised by what is written; None if nothing is."""
        place = (written.file, written.line) if written else (None, None)
        return cls(layer, kind, hook, *place)


@dataclass(frozen=True)
class Finding:
    """One thing that is not as promised, and the edit that may mend it."""

    check: str
    what: str
    expected: str
    measured: str
    mend: str
    at: Spot = Spot()


class Disagreement(Exception):
    """What a spec says of HF's model is not so, and nothing can be done without it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.what}; {finding.mend}")


@dataclass
class HookCounts:
    """Names of the hooks of one kind of layer, each once however many layers have it."""

    declared: set[str] = field(default_factory=set)
    fired: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    undeclared: set[str] = field(default_factory=set)


@dataclass
class Sheet:
    """What was measured of one model.

    `reduced` says what was made smaller than the configuration says, `placement` how many modules
    lie where, `prompt` what was continued, `measured` what was looked at and how often. `parity`
    holds the largest absolute differences from the logits of HF.
    """

    model: str
    layers: int = 0
    parameters: int = 0
    dtype: str = "float32"
    prompt: str = "random token ids"
    reduced: dict[str, str] = field(default_factory=dict)
    placement: dict[str, int] = field(default_factory=dict)
    parity: dict[str, float] = field(default_factory=dict)
    generation: dict[str, bool] = field(default_factory=dict)
    dimensions: dict[str, dict[str, object]] = field(default_factory=dict)
    hooks: dict[str, HookCounts] = field(default_factory=dict)
    measured: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    def of_kind(self, kind: str) -> HookCounts:
        """The hooks of one kind of layer."""
        return self.hooks.setdefault(kind, HookCounts())

    def count(self, check: str, number: int = 1) -> None:
        """Note that something was looked at."""
        self.measured[check] = self.measured.get(check, 0) + number


@dataclass(frozen=True)
class Told:
    """A finding, and everywhere it is the same: models, kinds of layer, layers, weights."""

    finding: Finding
    models: tuple[str, ...]
    kinds: tuple[str, ...]
    layers: tuple[int, ...]
    weights: tuple[str, ...]


@dataclass(frozen=True)
class SpecResult:
    """What was measured of one spec, a sheet a model."""

    module: str
    spec: str
    architecture: str
    sheets: tuple[Sheet, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What disagrees, over all models."""
        return tuple(finding for sheet in self.sheets for finding in sheet.findings)

    @property
    def told(self) -> tuple[Told, ...]:
        """Each finding once: what all layers have is wrong on all of them."""
        alike: dict[Finding, list[tuple[str, Finding]]] = {}
        for sheet in self.sheets:
            for one in sheet.findings:
                anywhere = replace(
                    one, mend="", at=replace(one.at, layer=None, kind=None, weight=None)
                )
                alike.setdefault(anywhere, []).append((sheet.model, one))
        return tuple(_told(group) for group in alike.values())


def _told(group: list[tuple[str, Finding]]) -> Told:
    spots = [finding.at for _, finding in group]
    return Told(
        finding=group[0][1],
        models=tuple(dict.fromkeys(model for model, _ in group)),
        kinds=tuple(dict.fromkeys(spot.kind for spot in spots if spot.kind)),
        layers=tuple(sorted({spot.layer for spot in spots if spot.layer is not None})),
        weights=tuple(spot.weight for spot in spots if spot.weight),
    )
