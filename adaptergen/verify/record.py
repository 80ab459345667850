"""What `verify --json` writes; `adaptergen/data/verify.schema.json` describes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from adaptergen.problems import Problem
from adaptergen.record import opening, problem_entry
from adaptergen.verify.environment import HEAVY
from adaptergen.verify.findings import Finding, Sheet, SpecResult

if TYPE_CHECKING:
    from adaptergen.verify.report import Report

SCHEMA = "adaptergen/verify/1"

_COUNTS = ("declared", "fired", "silent", "undeclared")


def verify_record(report: Report) -> dict[str, object]:
    """Everything that was measured."""
    results = report.results
    return {
        **opening(SCHEMA, HEAVY.values()),
        "tier": report.tier,
        "outcome": "differs" if report.exit_code else "fine",
        "exit_code": report.exit_code,
        "summary": report.summary,
        "warnings": list(report.warnings),
        "seconds": round(report.seconds, 3),
        "peak_memory_bytes": report.peak_memory,
        "specs": [_spec(result) for result in results],
        "parity": _by_model(
            results, lambda sheet: {k: _number(v) for k, v in sheet.parity.items()}
        ),
        "generation": _by_model(results, lambda sheet: dict(sheet.generation)),
        "dimensions": _by_model(results, lambda sheet: dict(sheet.dimensions)),
        "hooks": {name: {r.module: _hooks(r, name) for r in results} for name in _COUNTS},
        "failures": [
            _failure(result, sheet, finding)
            for result in results
            for sheet in result.sheets
            for finding in sheet.findings
        ],
        "problems": [],
    }


def failure_record(tier: str, summary: str, problems: Iterable[Problem] = ()) -> dict[str, object]:
    """The same where nothing was measured."""
    return {
        **opening(SCHEMA, HEAVY.values()),
        "tier": tier,
        "outcome": "failed",
        "exit_code": 2,
        "summary": summary,
        "warnings": [],
        "seconds": 0.0,
        "peak_memory_bytes": None,
        "specs": [],
        "parity": {},
        "generation": {},
        "dimensions": {},
        "hooks": {name: {} for name in _COUNTS},
        "failures": [],
        "problems": [problem_entry(problem) for problem in problems],
    }


def _spec(result: SpecResult) -> dict[str, object]:
    return {
        "module": result.module,
        "spec": result.spec,
        "architecture": result.architecture,
        "models": [
            {
                "model": sheet.model,
                "layers": sheet.layers,
                "parameters": sheet.parameters,
                "dtype": sheet.dtype,
                "seconds": round(sheet.seconds, 3),
                "prompt": sheet.prompt,
                "reduced": sheet.reduced,
                "placement": sheet.placement,
                "measured": sheet.measured,
            }
            for sheet in result.sheets
        ],
    }


def _by_model(results: Sequence[SpecResult], read: Callable[[Sheet], object]) -> dict[str, object]:
    return {r.module: {sheet.model: read(sheet) for sheet in r.sheets} for r in results}


def _hooks(result: SpecResult, name: str) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for sheet in result.sheets:
        for kind, counts in sheet.hooks.items():
            found.setdefault(kind, set()).update(getattr(counts, name))
    return {kind: sorted(names) for kind, names in found.items()}


def _failure(result: SpecResult, sheet: Sheet, finding: Finding) -> dict[str, object]:
    return {
        "module": result.module,
        "model": sheet.model,
        "check": finding.check,
        "layer": finding.at.layer,
        "kind": finding.at.kind,
        "hook": finding.at.hook,
        "weight": finding.at.weight,
        "file": finding.at.file,
        "spec_line": finding.at.line,
        "what": finding.what,
        "expected": finding.expected,
        "measured": finding.measured,
        "mend": finding.mend,
    }


def _number(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
