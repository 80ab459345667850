"""Locks as files: found beside their spec, checked when read, the same bytes for the same facts.

The entries of all releases are one tree, in which a fact that never changed stands once. Where a
fact did change, its values stand under the releases from which on they hold, each marked with `@`:
`{"@A": ["prefill"], "@B": []}` for releases A and B; `null` is no such fact. So a release in which
nothing changed adds only its name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from pydantic import ValidationError

from adaptergen import guard
from adaptergen.lock.entry import Entry, LockFile
from adaptergen.lock.paths import has_lock, lock_path
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote, visible
from adaptergen.source.read import read_text

FORMAT = "adaptergen/lock"
VERSION = 1

_KEYS = tuple(field.alias or name for name, field in LockFile.model_fields.items())
_RELEASE_MARK = "@"
_NONE = object()

#: Columns of the file; what fits into them is on one line.
_WIDTH = 160

_RESTORE = "restore it from version control, or delete it and run `adaptergen lock`"

Tree = dict[str, Any]


@dataclass(frozen=True)
class Lock:
    """What was observed for one spec: an entry a release, `transformers/transformer_lens`."""

    spec: str
    architecture: str
    entries: Mapping[str, Entry] = field(default_factory=dict)

    @property
    def releases(self) -> tuple[str, ...]:
        """The releases, oldest first."""
        return tuple(sorted(self.entries, key=_release_key))

    @property
    def newest(self) -> str:
        """The newest release."""
        return self.releases[-1]


def _release_key(release: str) -> tuple[Version, ...]:
    return tuple(Version(part) for part in release.split("/"))


def load_lock(spec: Path, architecture: str) -> tuple[Lock, str]:
    """The lock beside a spec, and its path as it is shown.

    Raises `Failed`, also where none is, and where it is of another class than the spec.
    """
    if not has_lock(spec):
        message = "the spec has no lock beside it"
        hint = f"run `adaptergen lock {spec.as_posix()}`"
        raise _failed(spec.as_posix(), "lock-missing", message, hint)
    shown = lock_path(spec).as_posix()
    lock = read_lock(lock_path(spec), shown)
    if lock.architecture != architecture:
        message = f"the lock is of {quote(lock.architecture)}, and the spec of {architecture}"
        hint = f"delete the lock, and run `adaptergen lock {spec.as_posix()}`"
        raise _failed(shown, "lock-class", message, hint)
    return lock, shown


def find_release(lock: Lock, wanted: str, shown_as: str) -> str:
    """The release of that name; one of transformers alone is that with the newest TL.

    Raises `Failed` if the lock has none.
    """
    found = [name for name in lock.releases if wanted in (name, name.partition("/")[0])]
    if not found:
        message = f"the lock has no release {quote(wanted)}, only {listing(lock.releases)}"
        hint = f"name one of these, or run `adaptergen lock` with transformers {visible(wanted)}"
        raise _failed(shown_as, "lock-release", message, hint)
    return found[-1]


def write_lock(path: Path, text: str) -> None:
    """Write the text of a lock; the old one is there until the new one is complete."""
    guard.write_whole(path, text.encode())


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
    content["digest"] = _digest(content)
    return _to_text({key: content[key] for key in _KEYS}) + "\n"


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
        return _from_content(content, shown_as)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        why = f"{visible('.'.join(map(str, first['loc'])))}: {first['msg']}"
    except (ValueError, TypeError, RecursionError) as error:
        why = visible(str(error))[:120]
    message = f"the facts of the lock have another form: {why}"
    raise _failed(shown_as, "lock-form", message, _RESTORE)


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
    if content["digest"] != _digest({k: v for k, v in content.items() if k != "digest"}):
        message = "the lock was edited: its digest is not that of what it holds"
        raise _failed(shown_as, "lock-edited", message, _RESTORE)


def _from_content(content: Tree, shown_as: str) -> Lock:
    releases: list[str] = content["releases"]
    if not isinstance(releases, list) or not all(isinstance(name, str) for name in releases):
        raise ValueError("its releases are no names")
    try:
        in_order = sorted(releases, key=_release_key)
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


def _digest(content: Mapping[str, Any]) -> str:
    plain = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def _failed(shown_as: str, code: str, message: str, hint: str, line: int = 1) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(shown_as, line))])


def merge(trees: Mapping[str, Any]) -> Any:
    """One tree of the trees of releases, oldest first."""
    values = list(trees.values())
    if all(isinstance(value, dict) for value in values):
        keys = sorted({key for value in values for key in value})
        return {key: merge({n: tree.get(key, _NONE) for n, tree in trees.items()}) for key in keys}
    if all(value == values[0] for value in values):
        return values[0]
    runs: Tree = {}
    before: Any = None
    for release, value in trees.items():
        if not runs or value != before:
            runs[_RELEASE_MARK + release] = None if value is _NONE else value
        before = value
    return runs


def pick(tree: Tree, releases: Sequence[str], release: str) -> Tree:
    """The tree of one of the releases, which are those of the merged tree, oldest first.

    Raises `ValueError` for a mark that is none of the releases.
    """
    picked = _pick(tree, releases, list(releases).index(release))
    if not isinstance(picked, dict):
        raise ValueError("the release has no facts")
    return picked


def _pick(value: Any, releases: Sequence[str], at: int) -> Any:
    if not isinstance(value, dict):
        return value
    marked = [key for key in value if key.startswith(_RELEASE_MARK)]
    if not marked:
        picked = {key: _pick(below, releases, at) for key, below in value.items()}
        return {key: below for key, below in picked.items() if below is not _NONE}
    if len(marked) != len(value):
        raise ValueError("a fact has both values and releases")
    since = {list(releases).index(key.removeprefix(_RELEASE_MARK)): value[key] for key in marked}
    holding = [number for number in since if number <= at]
    found = since[max(holding)] if holding else None
    return _NONE if found is None else found


def _to_text(value: Any, indent: int = 0, first: int = 0) -> str:
    """The value as JSON for people; `first` is how much stands before it on its line."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or _fits(value, short, indent, first):
        return short
    pad, inner = " " * indent, " " * (indent + 1)
    if isinstance(value, list):
        return "[\n" + "\n".join(_filled(value, inner)) + f"\n{pad}]"
    lines = []
    for key, item in value.items():
        head = f"{json.dumps(key, ensure_ascii=False)}: "
        lines.append(inner + head + _to_text(item, indent + 1, len(head)))
    return "{\n" + ",\n".join(lines) + f"\n{pad}}}"


def _filled(items: list[Any], pad: str) -> list[str]:
    """Items one after the other, a comma behind each but the last."""
    lines, line = [], pad
    for number, item in enumerate(items, 1):
        text = json.dumps(item, ensure_ascii=False) + ("," if number < len(items) else "")
        if line != pad and len(line) + 1 + len(text) > _WIDTH:
            lines.append(line)
            line = pad
        line += text if line == pad else f" {text}"
    return [*lines, line]


def _fits(value: Any, short: str, indent: int, first: int) -> bool:
    # What holds objects that hold objects is opened even where it is short.
    deep = isinstance(value, dict) and any(
        isinstance(below, dict) and any(isinstance(v, dict) for v in below.values())
        for below in value.values()
    )
    return not deep and indent + first + len(short) + 1 <= _WIDTH and indent > 1
