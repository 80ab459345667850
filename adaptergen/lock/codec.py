"""Entries of several releases as one tree, in which a fact that never changed stands once.

Where a fact did change, its values stand under the releases from which on they hold, each marked
with `@`: `{"@5.12.1/4.3.0": ["prefill"], "@5.17.0/4.3.0": []}`; `null` is no such fact. So of a new
release in which nothing changed a lock shows no more than its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RELEASE_MARK = "@"

Tree = dict[str, Any]

_NONE = object()


def merge(trees: Mapping[str, Tree]) -> Tree:
    """One tree of the trees of releases, oldest first."""
    merged = _merge(list(trees), list(trees.values()))
    assert isinstance(merged, dict)
    return merged


def pick(tree: Tree, releases: Sequence[str], release: str) -> Tree:
    """The tree of one of the releases, which are those of the merged tree, oldest first.

    Raises `ValueError` for a mark that is none of the releases.
    """
    picked = _pick(tree, releases, list(releases).index(release))
    if not isinstance(picked, dict):
        raise ValueError("the release has no facts")
    return picked


def _merge(releases: list[str], values: list[Any]) -> Any:
    if all(isinstance(value, dict) for value in values):
        keys = sorted({key for value in values for key in value})
        return {key: _merge(releases, [value.get(key, _NONE) for value in values]) for key in keys}
    if all(value == values[0] for value in values):
        return values[0]
    runs: Tree = {}
    before: Any = None
    for release, value in zip(releases, values, strict=True):
        if not runs or value != before:
            runs[RELEASE_MARK + release] = None if value is _NONE else value
        before = value
    return runs


def _pick(value: Any, releases: Sequence[str], at: int) -> Any:
    if not isinstance(value, dict):
        return value
    marked = [key for key in value if key.startswith(RELEASE_MARK)]
    if not marked:
        picked = {key: _pick(below, releases, at) for key, below in value.items()}
        return {key: below for key, below in picked.items() if below is not _NONE}
    if len(marked) != len(value):
        raise ValueError("a fact has both values and releases")
    since = {list(releases).index(key.removeprefix(RELEASE_MARK)): value[key] for key in marked}
    holding = [number for number in since if number <= at]
    found = since[max(holding)] if holding else None
    return _NONE if found is None else found
