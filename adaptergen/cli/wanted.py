"""From the specs of a call to what is wanted on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from adaptergen.cli.memory import Memory
from adaptergen.output import Wanted
from adaptergen.problems import Failed, Place, Problem, every, quote


def gather(specs: Sequence[Path]) -> list[Wanted]:
    """What each spec wants; a spec named twice counts once. `Failed` with the problems of all."""
    paths = _without_doubles(specs)
    memory = Memory()
    wanted = every(memory.wanted, paths)
    memory.keep()
    first: dict[str, Path] = {}
    problems = []
    for path, one in zip(paths, wanted, strict=True):
        # Folders whose names differ in case only are one folder on some systems.
        other = first.setdefault(one.name.casefold(), path)
        if other is not path:
            problems.append(_module_twice(one.name, other, path))
    if problems:
        raise Failed(problems)
    return wanted


def _without_doubles(specs: Sequence[Path]) -> list[Path]:
    found: dict[str, Path] = {}
    for path in specs:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _module_twice(module: str, first: Path, second: Path) -> Problem:
    return Problem(
        "module-twice",
        f"the module {quote(module)} is made of {quote(first.as_posix())} already",
        "rename one of the two, or build each into a folder of its own with --out",
        Place(second.as_posix()),
    )
