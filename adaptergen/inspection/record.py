"""What `inspect --json` writes; `adaptergen/data/inspect.schema.json` describes it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

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


class _Plain(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema_text() -> str:
    """The JSON Schema of the record, as committed; that of the facts is made from their models."""
    made = Facts.model_json_schema(schema_generator=_Plain, ref_template="#/$defs/{model}")
    definitions = made.pop("$defs")
    text = {"type": "string"}
    problem = {
        "type": "object",
        "additionalProperties": False,
        "required": ["code", "message", "hint", "path", "line", "column"],
        "properties": {
            "code": text,
            "message": text,
            "hint": text,
            "path": {"type": ["string", "null"]},
            "line": {"type": ["integer", "null"]},
            "column": {"type": ["integer", "null"]},
        },
    }
    properties = {
        "schema": {"const": SCHEMA},
        "tool": {"const": "adaptergen"},
        "versions": {
            "description": "Versions at work; null for a package that is not installed.",
            "type": "object",
            "required": ["adaptergen", "python", *PACKAGES],
            "additionalProperties": {"type": ["string", "null"]},
        },
        "target": {"description": "What was named on the command line.", **text},
        "outcome": {"enum": ["fine", "failed"]},
        "exit_code": {"enum": [0, 2]},
        "facts": {
            "description": "What was observed; a value that is a default is left out.",
            "anyOf": [{"$ref": "#/$defs/Facts"}, {"type": "null"}],
        },
        "problems": {"type": "array", "items": problem},
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "adaptergen inspect --json",
        "description": "What transformers does, as data.",
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
        "$defs": {**definitions, "Facts": made},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
