"""What adapters share, as an export brings it into a checkout: in commits of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from adaptergen import runtime
from adaptergen.export.draft import Draft
from adaptergen.export.upstream import COMPONENTS, CONTRACT
from adaptergen.problems import Failed, Problem, SourceLocation
from adaptergen.render.templates import format_files

_HEADER = "# What adapters made by adaptergen share, version {}."
_VERSION = re.compile(re.escape(_HEADER).replace(r"\{\}", r"(\d+)"))


@dataclass(frozen=True)
class Part:
    """Files of no adapter of their own that are committed together."""

    title: str
    files: Mapping[str, str]
    """Path -> what it holds, as its docstring says."""
    news: Mapping[str, str]
    """Those that upstream has not, or not so: path -> `new` or `changed`."""
    updates: bool
    """Whether the checkout has an earlier version of it."""

    @property
    def message(self) -> str:
        """The message of its commit."""
        return f"{'Update' if self.updates else 'Add'} {self.title}"


@dataclass(frozen=True)
class Shared:
    """The parts of an export, in the order of their commits, and what is said of them."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


def share(draft: Draft) -> Shared:
    """Draft what adapters share; a newer version of it stays as it is.

    Raises `Failed` if upstream has files of other content by these names.
    """
    made = _made()
    found = {path: draft.read(path) for files in made.values() for path in files}
    there = {path: _version(data) for path, data in found.items() if data is not None}
    foreign = [path for path, version in there.items() if version is None]
    if foreign:
        raise Failed(map(_foreign, foreign))
    newest = max((version for version in there.values() if version is not None), default=0)
    if newest > runtime.version():
        told = f"version {newest} of what adapters share, newer than {runtime.version()}"
        return Shared((), (f"the checkout has {told} of this adaptergen, so it stays as it is",))
    notes: list[str] = []
    for path, data in (one for files in made.values() for one in files.items()):
        if there.get(path) == runtime.version() and found[path] != data:
            notes.append(f"{path} is not as adaptergen has it, and becomes so")
        draft.put(path, data)
    return Shared(tuple(_part(draft, *one, found) for one in made.items()), tuple(notes))


@cache
def _made() -> Mapping[str, Mapping[str, bytes]]:
    """The files of each part, by its title, as upstream's formatters leave them."""
    header = _HEADER.format(runtime.version())
    components = {f"{COMPONENTS}/{name}.py": text for name, text in runtime.sources().items()}
    parts = {
        "the components that declared adapters share": components,
        "the contract that the tests of declared adapters check": runtime.contract(CONTRACT),
    }
    return {title: _formatted(files, header) for title, files in parts.items()}


def _formatted(files: Mapping[str, str], header: str) -> dict[str, bytes]:
    texts = format_files({path: f"{header}\n{text}" for path, text in files.items()})
    return {path: text.encode() for path, text in texts.items()}


def _part(
    draft: Draft, title: str, files: Mapping[str, bytes], found: Mapping[str, bytes | None]
) -> Part:
    told = {path: _summary(data) for path, data in files.items()}
    updates = any(found[path] not in (None, data) for path, data in files.items())
    return Part(title, told, dict(_news(draft, files, found)), updates)


def _news(
    draft: Draft, files: Mapping[str, bytes], found: Mapping[str, bytes | None]
) -> Iterator[tuple[str, str]]:
    for path, data in files.items():
        old = found[path]
        if old == data:
            # Committed on this branch, perhaps, and not yet upstream's.
            old = draft.checkout.upstreams(path)
        if old != data:
            yield path, "new" if old is None else "changed"


def _version(data: bytes) -> int | None:
    """The version that a file states; None if it is not one of ours."""
    first = data.decode("utf-8", "replace").partition("\n")[0]
    stated = _VERSION.fullmatch(first.rstrip("\r"))
    return int(stated[1]) if stated else None


def _summary(data: bytes) -> str:
    docstring = ast.get_docstring(ast.parse(data)) or ""
    return " ".join(docstring.partition("\n\n")[0].split())


def _foreign(path: str) -> Problem:
    return Problem(
        "shared-taken",
        "TransformerLens has another file where adapters expect what they share",
        "update adaptergen, or make a package: `adaptergen export SPEC --plugin DIR`",
        SourceLocation(path),
    )
