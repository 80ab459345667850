"""What `drift --json` writes; `adaptergen/data/drift.schema.json` describes it."""

from __future__ import annotations

from collections.abc import Iterable

from adaptergen.drift.finding import Finding
from adaptergen.drift.report import Report
from adaptergen.problems import Problem
from adaptergen.record import opening, problem_entry

SCHEMA = "adaptergen/drift/1"
PACKAGES = ("transformers", "transformer-lens")


def drift_record(report: Report) -> dict[str, object]:
    """Everything that was found."""
    return {
        **opening(SCHEMA, PACKAGES),
        "outcome": "drifted" if report.exit_code else "fine",
        "exit_code": report.exit_code,
        "summary": report.summary,
        "specs": [
            {
                "module": result.module,
                "spec": result.spec,
                "architecture": result.architecture,
                "from": result.old,
                "to": result.new,
                "counts": result.counts,
                "findings": [_finding(finding) for finding in result.findings],
            }
            for result in report.results
        ],
        "problems": [],
    }


def failure_record(summary: str, problems: Iterable[Problem] = ()) -> dict[str, object]:
    """The same where nothing was compared."""
    return {
        **opening(SCHEMA, PACKAGES),
        "outcome": "failed",
        "exit_code": 2,
        "summary": summary,
        "specs": [],
        "problems": [problem_entry(problem) for problem in problems],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "code": finding.code,
        "severity": finding.severity,
        "what": finding.what,
        "kinds": list(finding.kinds),
        "layers": list(finding.layers),
        "paths": list(finding.paths),
        "branch": finding.branch or None,
        "hf": finding.hf or None,
        "source": finding.source or None,
        "file": finding.file or None,
        "spec_line": finding.line,
        "mend": finding.mend or None,
    }
