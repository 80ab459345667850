"""What the plan promises of each hook of a model, under its config and this transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.specifiers import SpecifierSet

from adaptergen.plan import Plan
from adaptergen.plan.model import HookRow
from adaptergen.plan.node import Condition
from adaptergen.plan.table import layer_tables
from adaptergen.spec.shape import Contract
from adaptergen.verify.findings import MODEL, Finding, Spot


@dataclass(frozen=True)
class Promise:
    """A hook by its full name, and the exception that holds for it, or `live`."""

    name: str
    layer: int | None
    kind: str
    row: HookRow
    state: str

    @property
    def fires(self) -> bool:
        """Whether every plain run fires it."""
        return self.state not in ("silent", "on_request")

    @property
    def fires_in_decode(self) -> bool:
        """Whether a decode step fires it."""
        return self.fires and self.state != "silent_in_decode"

    def finding(self, check: str, what: str, expected: str, measured: str, mend: str) -> Finding:
        """This hook is not as promised."""
        spot = Spot.of(self.row, self.layer, self.kind, self.row.name)
        return Finding(check, what, expected, measured, mend, spot)


def promises(plan: Plan, kinds: Sequence[str], hf_config: Any, release: str) -> list[Promise]:
    """Every hook that the plan offers on a model with layers of these kinds."""
    tables = dict(layer_tables(plan))
    rows: list[tuple[str, int | None, str, HookRow]] = [
        *((row.name, None, MODEL, row) for row in plan.model_hooks),
        *(
            (f"blocks.{layer}.{row.name}", layer, kind, row)
            for layer, kind in enumerate(kinds)
            for row in tables[kind]
        ),
    ]
    return [
        Promise(name, layer, kind, row, _state(row.contract, release))
        for name, layer, kind, row in rows
        if is_met(row.condition, hf_config)
    ]


def once(promised: Sequence[Promise]) -> list[Promise]:
    """The first promise of each name within a layer, whatever the layer."""
    first: dict[str, Promise] = {}
    for promise in promised:
        first.setdefault(promise.row.name, promise)
    return list(first.values())


def is_met(condition: Condition | None, hf_config: Any) -> bool:
    """Whether the HF config meets the condition; none is met by all."""
    if condition is None:
        return True
    return (getattr(hf_config, condition.field, None) is not None) == condition.is_set


def holds(releases: str | None, release: str) -> bool:
    """Whether a release is in a range; a range that is not given is all of them.

    A pre-release counts as what it comes before: `5.24.0.dev0` is newer than 5.23.
    """
    return releases is None or SpecifierSet(releases).contains(release, prereleases=True)


def by_name(promised: Sequence[Promise]) -> Mapping[str, Promise]:
    """Promises by the full names of their hooks."""
    return {promise.name: promise for promise in promised}


def _state(contract: Contract | None, release: str) -> str:
    if contract is None or not holds(contract.transformers, release):
        return "live"
    return contract.state
