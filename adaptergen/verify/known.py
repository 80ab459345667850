"""Configurations to measure on: those of checkpoints that come with adaptergen, and a user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptergen import resources
from adaptergen.inspection.target import read_config
from adaptergen.problems import quote


class BadInput(Exception):
    """What a call was given cannot be used: what is wrong, and what mends it."""

    def __init__(self, message: str, hint: str) -> None:
        self.message, self.hint = message, hint
        super().__init__(f"{message}\n  hint: {hint}")


@dataclass(frozen=True)
class Known:
    """A configuration as in a config.json, and the Hub id or file it is of."""

    name: str
    fields: dict[str, Any]

    @property
    def architecture(self) -> str:
        """The HF class that it is for."""
        return str((self.fields.get("architectures") or [""])[0])


def configs(architecture: str, others: list[Path]) -> list[Known]:
    """The configurations of checkpoints of an architecture, and others from files or folders.

    Raises `BadInput` for one that cannot be read or is of another architecture.
    """
    folder = resources.DATA / "checkpoints"
    known = [_read(path, path.stem.replace("--", "/")) for path in sorted(folder.glob("*.json"))]
    found = [config for config in known if config.architecture == architecture]
    for path in others:
        file = path / "config.json" if path.is_dir() else path
        config = _read(file, path.as_posix())
        if config.architecture != architecture:
            message = f"{file} is of {quote(config.architecture)}, and the spec of {architecture}"
            raise BadInput(message, "name a config.json of that architecture")
        found.append(config)
    if not found:
        message = f"no configuration of {architecture} is known"
        raise BadInput(message, "name a config.json, or its folder, with --config")
    return found


def _read(path: Path, name: str) -> Known:
    try:
        fields = read_config(path)
    except (OSError, ValueError) as error:
        hint = "name the config.json of a checkpoint, or its folder"
        raise BadInput(f"{path} cannot be read: {error}", hint) from error
    if not isinstance(fields, dict):
        raise BadInput(f"{path} holds no object", "name the config.json of a checkpoint")
    return Known(name, fields)
