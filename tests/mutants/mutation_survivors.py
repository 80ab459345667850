"""What became of mutants, and the survivors that were looked at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from mutation import Mutant

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

SURVIVORS = Path(__file__).with_name("survivors.toml")
Identity = tuple[str, str, str, str, int]


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant; `by` is the test that failed first."""

    mutant: Mutant
    killed: bool
    by: str


def listed(module: str) -> dict[Identity, str]:
    """The survivors of one adapter that were looked at, with the reason of each."""
    entries = tomllib.loads(SURVIVORS.read_text("utf-8")).get("survivor", [])
    return {
        (e["operator"], e["where"], e["before"], e["after"], e.get("number", 0)): e["reason"]
        for e in entries
        if module in e["modules"]
    }


def toml(mutant: Mutant) -> str:
    """A survivor as `survivors.toml` names it."""
    names = ("operator", "where", "before", "after")
    parts = [f"{name} = {json.dumps(getattr(mutant, name))}" for name in names]
    return ", ".join(parts + ([f"number = {mutant.number}"] if mutant.number else []))
