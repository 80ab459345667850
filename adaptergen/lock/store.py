"""Locks as files: found beside their spec, checked when read, the same bytes for the same facts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from adaptergen import guard
from adaptergen.lock.codec import Tree, merge, pick
from adaptergen.lock.entry import Entry, LockFile
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.lock.text import to_text
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote, visible
from adaptergen.source.read import read_text

FORMAT = "adaptergen/lock"
VERSION = 1

_KEYS = tuple(field.alias or name for name, field in LockFile.model_fields.items())


@dataclass(frozen=True)
class Lock:
    """What was observed for one spec: an entry a release, `transformers/transformer_lens`."""

    spec: str
    architecture: str
    entries: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases, oldest first."""
        return tuple(sorted(self.entries, key=release_key))

    @property
    def newest(self) -> str:
        """The newest release."""
        return self.releases[-1]

    def find(self, wanted: str) -> str | None:
        """The release of that name; one of transformers alone is that with the newest TL."""
        found = [name for name in self.releases if wanted in (name, name.partition("/")[0])]
        return found[-1] if found else None

    def with_entry(self, release: str, entry: Entry) -> Lock:
        """The same with another entry."""
        return Lock(self.spec, self.architecture, {**self.entries, release: entry})


def release_key(release: str) -> tuple[Version, ...]:
    """What releases are sorted by. Raises `InvalidVersion`."""
    return tuple(Version(part) for part in release.split("/"))


def lock_text(lock: Lock) -> str:
    """The lock as its file holds it."""
    trees = {
        name: lock.entries[name].model_dump(mode="json", exclude_defaults=True)
        for name in lock.releases
    }
    content = {
        "schema": f"{FORMAT}/{VERSION}",
        "tool": "adaptergen",
        "spec": lock.spec,
        "architecture": lock.architecture,
        "releases": list(lock.releases),
        "facts": merge(trees),
    }
    digest = _digest(content)
    return to_text({key: digest if key == "digest" else content[key] for key in _KEYS}) + "\n"


def read_lock(path: Path, shown_as: str) -> Lock:
    """The lock in a file. Raises `Failed` for one that cannot be trusted."""
    text = read_text(path, shown_as)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        message = f"the lock is not whole: {visible(str(error))[:120]}"
        raise _failed(shown_as, "lock-syntax", message, _RESTORE, line) from None
    _check_head(content, shown_as)
    try:
        return _entries(content, shown_as)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"the facts of the lock have another form: {visible(where)}: {first['msg']}"
        raise _failed(shown_as, "lock-form", message, _RESTORE) from None
    except (ValueError, TypeError, RecursionError) as error:
        message = f"the facts of the lock have another form: {visible(str(error))[:120]}"
        raise _failed(shown_as, "lock-form", message, _RESTORE) from None


_RESTORE = "restore it from version control, or delete it and run `adaptergen lock`"


def _check_head(content: Any, shown_as: str) -> None:
    if not isinstance(content, dict) or not isinstance(content.get("schema"), str):
        raise _failed(shown_as, "lock-form", "this is not a lock", _RESTORE)
    name, _, number = content["schema"].rpartition("/")
    # Longer ones are beyond what Python reads as a number.
    if name == FORMAT and number.isdecimal() and int(number[:9]) > VERSION:
        message = f"the lock is of format {number[:9]}, and this adaptergen knows up to {VERSION}"
        raise _failed(shown_as, "lock-newer", message, "update adaptergen")
    if content["schema"] != f"{FORMAT}/{VERSION}" or set(content) != set(_KEYS):
        raise _failed(shown_as, "lock-form", "this is not a lock", _RESTORE)
    rest = {key: value for key, value in content.items() if key != "digest"}
    if content["digest"] != _digest(rest):
        message = "the lock was edited: its digest is not that of what it holds"
        raise _failed(shown_as, "lock-edited", message, _RESTORE)


def _entries(content: Tree, shown_as: str) -> Lock:
    releases: list[str] = content["releases"]
    if not isinstance(releases, list) or not all(isinstance(name, str) for name in releases):
        raise ValueError("its releases are no names")
    try:
        in_order = sorted(releases, key=release_key)
    except InvalidVersion as error:
        message = f"the lock names a release that is none: {visible(str(error))}"
        raise _failed(shown_as, "lock-form", message, _RESTORE) from None
    if releases != in_order or not releases:
        raise ValueError("its releases are not in order")
    # As JSON, where a list is what it says for a tuple.
    entries = {
        name: Entry.model_validate_json(json.dumps(pick(content["facts"], releases, name)))
        for name in releases
    }
    return Lock(str(content["spec"]), str(content["architecture"]), entries)


def find_release(lock: Lock, wanted: str, shown_as: str) -> str:
    """The release of that name; `Failed` if the lock has none."""
    found = lock.find(wanted)
    if found is None:
        message = f"the lock has no release {quote(wanted)}, only {listing(lock.releases)}"
        hint = f"name one of these, or run `adaptergen lock` with transformers {visible(wanted)}"
        raise _failed(shown_as, "lock-release", message, hint)
    return found


def load_lock(spec: Path, architecture: str) -> tuple[Lock, str]:
    """The lock beside a spec, and its path as it is shown.

    Raises `Failed`, also where none is, and where it is of another class than the spec.
    """
    path = lock_path(spec)
    if not has_lock(spec):
        message = "the spec has no lock beside it"
        hint = f"run `adaptergen lock {spec.as_posix()}`"
        raise _failed(spec.as_posix(), "lock-missing", message, hint)
    shown = path.as_posix()
    lock = read_lock(path, shown)
    if lock.architecture != architecture:
        message = f"the lock is of {quote(lock.architecture)}, and the spec of {architecture}"
        hint = f"delete the lock, and run `adaptergen lock {spec.as_posix()}`"
        raise _failed(shown, "lock-class", message, hint)
    return lock, shown


def write_lock(path: Path, text: str) -> None:
    """Write the text of a lock; the old one is there until the new one is whole."""
    guard.write_whole(path, text.encode())


def _digest(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _failed(shown_as: str, code: str, message: str, hint: str, line: int = 1) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(shown_as, line))])
