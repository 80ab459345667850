"""What disagrees with a lock, gathered over its releases, and how it becomes problems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adaptergen.lock.entry import Entry, Module
from adaptergen.plan.node import Location
from adaptergen.problems import Loc, Problem
from adaptergen.source.source import Source

#: Makes the problem out of the releases that show it.
Make = Callable[[str], Problem]


@dataclass
class Found:
    """Problems, each with the releases of transformers that show it."""

    makers: dict[tuple[str, ...], Make] = field(default_factory=dict)
    releases: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def add(self, key: tuple[str, ...], release: str, make: Make) -> None:
        """Note what a release shows; the same of other releases is one problem."""
        self.makers.setdefault(key, make)
        shown = self.releases.setdefault(key, [])
        if release not in shown:
            shown.append(release)

    def problems(self) -> list[Problem]:
        """One for each thing found."""
        return [
            make(f"transformers {', '.join(self.releases[key])}")
            for key, make in self.makers.items()
        ]


def at(
    source: Callable[[], Source], loc: Loc, code: str, message: str, hint: str, key: bool = False
) -> Make:
    """A problem at a place of the spec's file, which is read only if there is one."""
    return lambda shown: source().problem(code, f"{message} ({shown})", hint, loc, key=key)


def within(where: Location, code: str, message: str, hint: str, key: bool = False) -> Make:
    """A problem where a component is written."""
    return lambda shown: where.problem(code, f"{message} ({shown})", hint, key=key)


def everything(entry: Entry, kind: str) -> dict[str, Module]:
    """Modules of a kind, whichever tiny model has them; one that is there before an empty place."""
    known = dict(entry.modules.get(kind, {}))
    for branch in entry.branches.values():
        for path, module in branch.modules.get(kind, {}).items():
            if path not in known or not known[path].cls:
                known[path] = module
    return known


def around(path: str) -> list[str]:
    """The paths around a path, the nearest first."""
    parts = path.split(".")
    return [".".join(parts[:number]) for number in range(len(parts) - 1, 0, -1)]
