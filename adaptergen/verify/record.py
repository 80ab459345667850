"""What `verify --json` writes; `adaptergen/data/verify.schema.json` describes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from adaptergen.contract import Finding, ModelReport
from adaptergen.problems import Problem
from adaptergen.record import opening, problem_entry
from adaptergen.verify.environment import HEAVY
from adaptergen.verify.findings import SpecResult

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
            results, lambda model_report: {k: _number(v) for k, v in model_report.parity.items()}
        ),
        "generation": _by_model(results, lambda model_report: dict(model_report.generation)),
        "dimensions": _by_model(results, lambda model_report: dict(model_report.dimensions)),
        "hooks": {name: {r.module: _hooks(r, name) for r in results} for name in _COUNTS},
        "failures": [
            _failure(result, model_report, finding)
            for result in results
            for model_report in result.reports
            for finding in model_report.findings
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
                "model": model_report.model,
                "layers": model_report.layers,
                "parameters": model_report.parameters,
                "dtype": model_report.dtype,
                "seconds": round(model_report.seconds, 3),
                "prompt": model_report.prompt,
                "reduced": model_report.reduced,
                "placement": model_report.placement,
                "measured": model_report.measured,
            }
            for model_report in result.reports
        ],
    }


def _by_model(
    results: Sequence[SpecResult], read: Callable[[ModelReport], object]
) -> dict[str, object]:
    return {
        r.module: {model_report.model: read(model_report) for model_report in r.reports}
        for r in results
    }


def _hooks(result: SpecResult, name: str) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for model_report in result.reports:
        for kind, counts in model_report.hooks.items():
            found.setdefault(kind, set()).update(getattr(counts, name))
    return {kind: sorted(names) for kind, names in found.items()}


def _failure(result: SpecResult, model_report: ModelReport, finding: Finding) -> dict[str, object]:
    return {
        "module": result.module,
        "model": model_report.model,
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
