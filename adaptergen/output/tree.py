"""The files that a build wants on disk for one spec, and the manifest that says what was made.

An `OutputTree` that breaks a rule here is a bug of the generator, not of the user: `ValueError`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptergen.output.files import OutputError, parents

MANIFEST = "manifest.json"

_TOOL = "adaptergen"
_FORMAT = 1

#: Folders with work of git, and of a build itself, and what Windows takes for the first.
_NEVER = frozenset({".git", "git~1", ".adaptergen"})


@dataclass(frozen=True)
class OutputTree:
    """All files of one spec: `files` maps POSIX paths, relative to `OUT/<name>/`, to bytes.

    `spec` is the spec's path in the project. `meta` is JSON that goes into the manifest as it is;
    it must be the same on every machine (versions, never times or absolute paths). A tree with a
    `version` comes with every build and belongs to no spec: `spec` says what made it. A newer one
    on the disk is kept.
    """

    name: str
    spec: str
    files: Mapping[str, bytes]
    meta: Mapping[str, object] = field(default_factory=dict)
    version: int | None = None

    def __post_init__(self) -> None:
        if "/" in self.name or self.name.startswith("."):
            raise ValueError(f"not a folder name: {self.name!r}")
        check_relative(self.name)
        check_relative(self.spec)
        check_paths([*self.files, MANIFEST])

    def manifest(self) -> bytes:
        """The manifest, which does not list itself: sorted keys, no times, no machine."""
        content = {
            "tool": _TOOL,
            "format": _FORMAT,
            "spec": self.spec,
            "meta": dict(self.meta),
            "files": {path: digest(data) for path, data in self.files.items()},
        }
        if self.version is not None:
            content["version"] = self.version
        return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def digest(data: bytes) -> str:
    """The digest that manifest and journal keep of a file."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def read_manifest(data: bytes | None, place: Path) -> Mapping[str, Any]:
    """What `OutputTree.manifest` has written; empty if this is no manifest (or no longer one)."""
    try:
        content = json.loads(data or b"")
    except ValueError:
        return {}
    if not isinstance(content, dict) or content.get("tool") != _TOOL:
        return {}
    number = content.get("format")
    if isinstance(number, int) and number > _FORMAT:
        raise OutputError(
            f"the manifest has format {number}, this adaptergen knows {_FORMAT}",
            "update adaptergen, or remove the folder and build it anew",
            place,
        )
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        return {}
    try:
        # The paths come from disk: one with `..` must never make a build remove a file elsewhere.
        check_paths(files)
    except ValueError:
        return {}
    return content


def check_relative(path: str) -> str:
    """Return `path` if it is relative, POSIX and stays below its root; else `ValueError`.

    Also refused is all that git runs or trusts: a path may come from a manifest or a journal.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or any(c in path for c in "\\:\0"):
        raise ValueError(f"not a relative POSIX path: {path!r}")
    if any(part.rstrip(" .").casefold() in _NEVER for part in parts):
        raise ValueError(f"a path into a folder that is not ours: {path!r}")
    return path


def check_paths(paths: Iterable[str]) -> None:
    """Check that the paths can lie in one folder, also where upper and lower case are the same."""
    seen: set[str] = set()
    for path in paths:
        key = check_relative(path).casefold()
        if key in seen:
            raise ValueError(f"two files at one path: {path!r}")
        seen.add(key)
    for key in seen:
        if any(parent in seen for parent in parents(key)):
            raise ValueError(f"a file lies inside a file: {key!r}")
