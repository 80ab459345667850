"""From the specs of a call to what is wanted on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from adaptergen import runtime
from adaptergen.cli.memory import Memory
from adaptergen.output.tree import OutputTree
from adaptergen.problems import Failed, Problem, SourceLocation, quote


def gather(specs: Sequence[Path]) -> list[OutputTree]:
    """What each spec wants; a spec named twice counts once. `Failed` with the problems of all."""
    memory = Memory()
    wanted: list[OutputTree] = []
    problems: list[Problem] = []
    first: dict[str, Path] = {}
    for path in without_doubles(specs):
        try:
            wanted.append(memory.wanted(path))
            module = wanted[-1].name
        except Failed as failed:
            problems += failed.problems
            module = _module(path)
        # Folders whose names differ in case only are one folder on some systems.
        other = first.setdefault(module.casefold(), path) if module else path
        if other is not path:
            problems.append(_module_twice(module, other, path))
    memory.keep()
    if problems:
        raise Failed(problems)
    return [*wanted, runtime.wanted()]


def _module(path: Path) -> str:
    """The module that a spec with problems is for; nothing if that is one of them."""
    # When it is needed: it imports all that a build consists of.
    from adaptergen.generate import module_of

    module = module_of(path)
    return module if module == path.stem else ""


def without_doubles(specs: Sequence[Path]) -> list[Path]:
    """The files of a call, each once, by the name it was first given."""
    found: dict[str, Path] = {}
    for path in specs:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _module_twice(module: str, first: Path, second: Path) -> Problem:
    return Problem(
        "module-twice",
        f"the module {quote(module)} is made of {quote(first.as_posix())} already",
        "rename one of the two, or build each into a folder of its own with --out",
        SourceLocation(second.as_posix()),
    )
