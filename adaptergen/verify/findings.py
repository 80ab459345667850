"""What was measured of specs, and what of it is not as promised. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from adaptergen.contract import Finding, ModelReport


class Disagreement(Exception):
    """What a spec says of HF's model is not so, and nothing can be done without it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.what}; {finding.mend}")


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
    """What was measured of one spec, a report a model."""

    module: str
    spec: str
    architecture: str
    reports: tuple[ModelReport, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What disagrees, over all models."""
        return tuple(finding for report in self.reports for finding in report.findings)

    @property
    def told(self) -> tuple[Told, ...]:
        """Each finding once: what all layers have is wrong on all of them."""
        alike: dict[Finding, list[tuple[str, Finding]]] = {}
        for report in self.reports:
            for one in report.findings:
                anywhere = replace(
                    one, mend="", at=replace(one.at, layer=None, kind=None, weight=None)
                )
                alike.setdefault(anywhere, []).append((report.model, one))
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
