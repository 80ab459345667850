"""From the specs of a call to the files that it makes, with a cache of what specs made before.

A build of which no input has changed need not format again. An entry has the files of one spec, and
the digest of all that goes into them: the spec, its lock, its shapes, the files of adaptergen as
they are installed, the versions of Python and of the libraries. Entries lie in the user's cache
folder, not in the project: what is on disk is compared byte by byte as ever, so no edit and no
manifest can pass for fresh. The folder may hold files of others, too: an entry has the seal of this
user, and what has none is neither used nor removed. An entry that cannot be read is made anew, one
that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from adaptergen import guard, resources, runtime
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.output.tree import OutputTree
from adaptergen.problems import Failed, Problem, SourceLocation, quote

#: Entries are of some ten kilobytes; the oldest go.
MOST = 512

#: Whose text or data becomes part of what is generated.
LIBRARIES = ("black", "isort", "jinja2", "markupsafe", "packaging", "pydantic", "ruamel.yaml")

_NAME = re.compile(r"[0-9a-f]{64}\.entry")


def output_trees(specs: Sequence[Path]) -> list[OutputTree]:
    """What each spec makes, and the runtime; a spec named twice counts once.

    Raises `Failed` with the problems of all specs.
    """
    cache = BuildCache()
    trees: list[OutputTree] = []
    problems: list[Problem] = []
    first: dict[str, Path] = {}
    for path in without_doubles(specs):
        try:
            trees.append(cache.output_tree(path))
            module = trees[-1].name
        except Failed as failed:
            problems += failed.problems
            module = _module(path)
        # Folders whose names differ in case only are one folder on some systems.
        other = first.setdefault(module.casefold(), path) if module else path
        if other is not path:
            message = f"the module {quote(module)} is made of {quote(other.as_posix())} already"
            hint = "rename one of the two, or build each into a folder of its own with --out"
            at = SourceLocation(path.as_posix())
            problems.append(Problem("module-twice", message, hint, at))
    cache.keep()
    if problems:
        raise Failed(problems)
    return [*trees, runtime.wanted()]


def without_doubles(specs: Sequence[Path]) -> list[Path]:
    """The files of a call, each once, by the name it was first given."""
    found: dict[str, Path] = {}
    for path in specs:
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _module(path: Path) -> str:
    """The module that a spec with problems is for; nothing if that is one of them."""
    # When it is needed: it imports all that a build consists of.
    from adaptergen.generate import module_of

    module = module_of(path)
    return module if module == path.stem else ""


class BuildCache:
    """The cache as one call uses it: what all specs share is read once."""

    def __init__(self) -> None:
        self._folder = guard.cache_folder()
        self._made: list[tuple[Path, str, OutputTree]] = []
        self._shared = ""
        self._shapes: dict[Path, str] = {}
        self._stamps: dict[str | Path, tuple[int, ...]] = {}

    def output_tree(self, path: Path) -> OutputTree:
        """The files that the spec at `path` makes. Raises `Failed` with every problem found."""
        key = self._key(path)
        found = self._recall(path, key)
        if found is not None:
            return found
        # When it is needed: it imports all that a build consists of.
        from adaptergen.generate import generate
        from adaptergen.spec.load import load_shape

        if not self._made:
            # An earlier call in this process may have read other shapes.
            load_shape.cache_clear()
        made = generate(path)
        self._made.append((path, key, made))
        return made

    def keep(self) -> None:
        """Keep what was made, for the next call."""
        with suppress(OSError):
            # What was edited meanwhile may have been read before or after that.
            if any(_stamp(path) != stamp for path, stamp in self._stamps.items()):
                return
            for path, key, made in self._made:
                if key:
                    self._write(path, key, made)
            if self._folder and self._made:
                self._remove_oldest(self._folder)

    def _key(self, path: Path) -> str:
        """The digest of everything that goes into the files; empty without a cache."""
        if self._folder is None:
            return ""
        folders = [
            folder for folder in (path.parent / "shapes", resources.shapes()) if folder.is_dir()
        ]
        try:
            for shapes in folders:
                if shapes not in self._shapes:
                    self._shapes[shapes] = _digest(self._files(shapes.glob("*.yaml"), shapes))
            self._shared = self._shared or self._of_adaptergen()
            digests = [self._shapes[shapes] for shapes in folders]
            parts = [self._shared, *digests, *path.absolute().parts[-2:]]
            lock = self._read(lock_path(path)) if has_lock(path) else b""
            return _digest([*(part.encode() for part in parts), self._read(path), lock])
        except (OSError, PackageNotFoundError):
            # The build reports what cannot be read; what has no version is not kept.
            return ""

    def _of_adaptergen(self) -> str:
        """The digest of adaptergen itself and of what it runs on."""
        folders = (resources.DATA.parent, resources.templates())
        installed = sorted({file for folder in folders for file in self._installed(folder)})
        return _digest([sys.version.encode(), *map(_library, LIBRARIES), *installed])

    def _installed(self, folder: Path) -> Iterable[bytes]:
        """What changes with every edit below a folder; to read all that lies there takes long."""
        for parent, _, names in os.walk(folder):
            for name in names:
                if name.endswith((".py", ".json", ".jinja")):
                    path = os.path.join(parent, name)
                    self._stamps[path] = _stamp(path)
                    yield repr((path, self._stamps[path])).encode()

    def _files(self, paths: Iterable[Path], folder: Path) -> Iterable[bytes]:
        for path in sorted(paths):
            yield path.relative_to(folder).as_posix().encode()
            yield self._read(path)

    def _read(self, path: Path) -> bytes:
        self._stamps[path] = _stamp(path)
        return guard.read(path, within=guard.project_of(path))

    def _recall(self, path: Path, key: str) -> OutputTree | None:
        body = _opened(self._entry(path), key) if key else None
        if body is None:
            return None
        content = json.loads(zlib.decompress(body))
        files = {name: text.encode() for name, text in content["files"].items()}
        return OutputTree(content["name"], content["spec"], files, content["meta"])

    def _write(self, path: Path, key: str, made: OutputTree) -> None:
        files = {name: data.decode() for name, data in made.files.items()}
        content = {"name": made.name, "spec": made.spec, "files": files, "meta": dict(made.meta)}
        body = zlib.compress(json.dumps(content).encode(), 1)
        entry = self._entry(path)
        seal = guard.seal(b"entry", entry.name.encode(), key.encode(), body)
        with suppress(OSError):
            entry.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whoever put a link or a folder there keeps it.
            if seal and (not os.path.lexists(entry) or _is_entry(entry)):
                guard.write_whole(entry, b"\n".join([key.encode(), seal.encode(), body]), 0o600)

    def _remove_oldest(self, folder: Path) -> None:
        """Remove the oldest entries, where there are too many."""
        entries = [path for path in folder.iterdir() if _is_entry(path)]
        for old in sorted(entries, key=os.path.getmtime)[:-MOST]:
            if _opened(old) is not None:
                old.unlink()

    def _entry(self, path: Path) -> Path:
        assert self._folder is not None
        return self._folder / (_digest([str(path.absolute()).encode()]) + ".entry")


def _is_entry(path: Path) -> bool:
    """Whether a file has the name, the kind and the owner of an entry."""
    status = os.lstat(path)
    regular = bool(_NAME.fullmatch(path.name)) and stat.S_ISREG(status.st_mode)
    return regular and guard.is_own(status)


def _opened(entry: Path, key: str | None = None) -> bytes | None:
    """What an entry holds, of this key if one is given; None if no build of this user wrote it."""
    with suppress(OSError, ValueError):
        stored, seal, body = guard.read(entry, within=entry.parent).split(b"\n", 2)
        genuine = guard.is_genuine(seal.decode(), b"entry", entry.name.encode(), stored, body)
        if genuine and key in (None, stored.decode()):
            return body
    return None


def _library(name: str) -> bytes:
    """What an installed library says of itself, its version among it."""
    metadata = distribution(name).read_text("METADATA")
    if metadata is None:
        raise PackageNotFoundError(name)
    return metadata.encode()


def _stamp(path: str | Path) -> tuple[int, ...]:
    """What changes with every edit of a file."""
    status = os.stat(path)
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _digest(parts: Iterable[bytes]) -> str:
    """One digest of all parts, each told from the next by its length."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
