"""What tests of verify share and is no fixture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from adaptergen.resources import schema

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "specs" / "nemotron_h.yaml"


@dataclass(frozen=True)
class Result:
    """What came of a command."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A copy of the specs, to be changed."""

    folder: Path

    @property
    def spec(self) -> Path:
        """The spec of Nemotron-H."""
        return self.folder / "nemotron_h.yaml"

    def change(self, file: str, *keys: str | int, to: object = None) -> None:
        """Set what stands at the keys, or delete it; the rest stays as data, not as text."""
        yaml, path = YAML(), self.folder / file
        data = yaml.load(path)
        *around, last = keys
        owner = reduce(getitem, around, data)
        if to is None:
            del owner[last]
        else:
            owner[last] = to
        yaml.dump(data, path)

    def line(self, file: str, number: int) -> str:
        """A line of a file, from 1."""
        return (self.folder / file).read_text(encoding="utf-8").splitlines()[number - 1]


def read(path: Path) -> dict[str, Any]:
    """What `--json` wrote, which has to be as its schema says."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    content: dict[str, Any] = json.loads(path.read_text(), parse_constant=refuse)
    described = json.loads(schema("verify").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(described)
    Draft202012Validator(described).validate(content)
    return content
