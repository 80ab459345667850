"""What a build wants to see on disk for one spec.

A `OutputTree` that breaks a rule here is a bug of the generator, not of the user: `ValueError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MANIFEST = "manifest.json"

#: Folders with work of git, and of a build itself, and what Windows takes for the first.
_NEVER = frozenset({".git", "git~1", ".adaptergen"})


@dataclass(frozen=True)
class OutputTree:
    """All files of one spec: `files` maps POSIX paths, relative to `OUT/<name>/`, to bytes.

    `spec` is the spec's path in the project. `meta` is JSON that goes into the manifest as it is;
    it must be the same on every machine (versions, never times or absolute paths). What is `shared`
    comes with every build and is of no spec: `spec` says what made it.
    """

    name: str
    spec: str
    files: Mapping[str, bytes]
    meta: Mapping[str, object] = field(default_factory=dict)
    shared: bool = False

    def __post_init__(self) -> None:
        if "/" in self.name or self.name.startswith("."):
            raise ValueError(f"not a folder name: {self.name!r}")
        check_relative(self.name)
        check_relative(self.spec)
        check_tree([*self.files, MANIFEST])


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


def check_tree(paths: Iterable[str]) -> None:
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


def check_names(wanted: Sequence[OutputTree]) -> None:
    """Check that no two specs of a call write to the same folder."""
    names = [one.name.casefold() for one in wanted]
    if len(set(names)) != len(names):
        raise ValueError(f"two specs for one folder: {sorted(names)}")


def parents(path: str) -> list[str]:
    """The folders of a relative path, the outermost first: `a/b/c` -> `a`, `a/b`."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
