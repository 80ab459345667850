"""What `inspect --json` writes: the facts of a target, or why there are none."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adaptergen.facts.base import Fact
from adaptergen.facts.model import Facts


class Versions(Fact):
    """Versions at work; null for a package that is not installed."""

    adaptergen: str
    python: str
    torch: str | None
    transformers: str | None


class ProblemEntry(Fact):
    """Why a target could not be observed."""

    code: str
    message: str
    hint: str
    path: str | None
    line: int | None
    column: int | None


class InspectRecord(Fact):
    """What transformers does, as data."""

    # `schema` itself is a method of every pydantic model.
    format: Literal["adaptergen/inspect/1"] = Field(alias="schema")
    tool: Literal["adaptergen"]
    versions: Versions
    target: str = Field(description="what was named on the command line")
    outcome: Literal["fine", "failed"]
    exit_code: Literal[0, 2]
    facts: Facts | None = Field(description="a value that is a default is left out")
    problems: tuple[ProblemEntry, ...]
