"""What `build --json` writes; `adaptergen/data/build.schema.json` describes it."""

from __future__ import annotations

from adaptergen.output import Report, State
from adaptergen.problems import Failed
from adaptergen.record import opening, problem_entry

SCHEMA = "adaptergen/build/1"

#: The distributions that have a part in the bytes of a build.
PACKAGES = ("black", "isort", "jinja2", "pydantic", "ruamel.yaml")


def build_record(report: Report) -> dict[str, object]:
    """What was found, and what came of it."""
    comparison = report.comparison
    return {
        **opening(SCHEMA, PACKAGES),
        "outcome": report.outcome.value,
        "exit_code": report.exit_code,
        "summary": report.summary,
        "specs": [
            {"module": one.name, "spec": one.spec, "meta": dict(one.meta)}
            for one in (comparison.wanted if comparison else ())
            if not one.shared
        ],
        "counts": {_word(state): report.count(state) for state in State},
        "entries": [
            {"path": entry.path, "state": _word(entry.state)}
            for entry in (comparison.entries if comparison else ())
        ],
        "problems": [],
    }


def failure_record(failed: Failed) -> dict[str, object]:
    """The same for specs that have problems: nothing was compared."""
    return {
        **opening(SCHEMA, PACKAGES),
        "outcome": "failed",
        "exit_code": 2,
        "summary": f"Nothing written: {failed.summary}",
        "specs": [],
        "counts": {_word(state): 0 for state in State},
        "entries": [],
        "problems": [problem_entry(problem) for problem in failed.shown],
    }


def _word(state: State) -> str:
    return state.name.lower()
