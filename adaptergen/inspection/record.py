"""What `inspect --json` writes; see `adaptergen.facts.record`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from adaptergen.facts import Facts
from adaptergen.problems import Problem
from adaptergen.record import opening, problem_entry

SCHEMA = "adaptergen/inspect/1"

PACKAGES = ("torch", "transformers")


def inspect_record(target: str, facts: Facts) -> dict[str, object]:
    """The facts of a target."""
    return {
        **opening(SCHEMA, PACKAGES),
        "target": target,
        "outcome": "fine",
        "exit_code": 0,
        "facts": json.loads(facts.to_json()),
        "problems": [],
    }


def failure_record(target: str, problems: Iterable[Problem]) -> dict[str, object]:
    """The same where nothing could be observed."""
    return {
        **opening(SCHEMA, PACKAGES),
        "target": target,
        "outcome": "failed",
        "exit_code": 2,
        "facts": None,
        "problems": [problem_entry(problem) for problem in problems],
    }
