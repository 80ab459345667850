"""Locks as files: the same bytes for the same facts, and none believed that was tampered with."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adaptergen.lock.store import find_release, load_lock, lock_text, read_lock, write_lock
from adaptergen.problems import Failed
from adaptergen.resources import schema, specs

sys.path.insert(0, str(Path(__file__).parent))
from lock_support import entry, lock


def code(path: Path) -> str:
    """The code with which reading the lock fails."""
    with pytest.raises(Failed) as caught:
        read_lock(path, path.name)
    (problem,) = caught.value.problems
    assert problem.location and problem.location.path == path.name and problem.hint
    return problem.code


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock that is fine."""
    made = tmp_path / "x.lock.json"
    write_lock(made, lock_text(lock()))
    return made


def test_comes_back_as_it_was(path: Path) -> None:
    assert read_lock(path, "x") == lock()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_releases_are_sorted_as_versions(path: Path) -> None:
    assert lock().releases == ("5.9.0/4.3.0", "5.10.0/4.3.0")
    assert lock().newest == "5.10.0/4.3.0"
    assert lock_text(read_lock(path, "x")) == path.read_text("utf-8")


def test_is_as_its_schema_says(path: Path) -> None:
    description = json.loads(schema("lock").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(description)
    for one in (path, *specs().glob("*.lock.json")):
        jsonschema.validate(json.loads(one.read_text("utf-8")), description)


def test_a_release_more_in_which_nothing_changed_changes_two_lines(path: Path) -> None:
    before = path.read_text("utf-8").splitlines()
    entries = {**lock().entries, "5.11.0/4.3.0": entry("silent")}
    after = lock_text(replace(lock(), entries=entries)).splitlines()
    assert len(after) == len(before)
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.split('"')[1] for line in changed] == ["digest", "5.9.0/4.3.0"]


def test_a_release_is_found_with_and_without_transformer_lens() -> None:
    assert find_release(lock(), "5.9.0", "x") == find_release(lock(), "5.9.0/4.3.0", "x")
    with pytest.raises(Failed) as caught:
        find_release(lock(), "5.8.0", "x")
    assert caught.value.problems[0].code == "lock-release"


@pytest.mark.parametrize("at", [0, 1, 40, 200, -2])
def test_truncated(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes()[:at])
    assert code(path) == "lock-syntax"


def test_every_changed_character_is_noticed(path: Path) -> None:
    text = path.read_text("utf-8")
    for old, new in (
        ("silent", "live"),
        ("0.5", "0.6"),
        ("XAttention", "YAttention"),
        ("4.3", "4.4"),
    ):
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        assert code(path) in ("lock-edited", "lock-form")


def changed(path: Path, **values: Any) -> Path:
    """The lock with other values, and with a digest that fits."""
    from adaptergen.lock.store import _digest

    content = {**json.loads(path.read_text("utf-8")), **values}
    rest = {key: value for key, value in content.items() if key != "digest"}
    path.write_text(json.dumps({**rest, "digest": _digest(rest)}), encoding="utf-8")
    return path


def test_of_a_newer_tool(path: Path) -> None:
    assert code(changed(path, schema="adaptergen/lock/2")) == "lock-newer"


@pytest.mark.parametrize(
    "values",
    [
        {"schema": "adaptergen/verify/1"},
        {"schema": 7},
        {"extra": 1},
        {"releases": ["x"]},
        {"releases": []},
        {"releases": ["5.10.0/4.3.0", "5.9.0/4.3.0"]},
        {"releases": 7},
        {"facts": {}},
        {"facts": []},
        {"facts": {"model": {"cls": 7, "config": ""}}},
        {"facts": {"model": {"@9.9.9/4.3.0": {}}}},
        {"facts": {"model": {"@5.9.0/4.3.0": {}, "cls": ""}}},
    ],
    ids=str,
)
def test_of_another_form(path: Path, values: dict[str, Any]) -> None:
    assert code(changed(path, **values)) == "lock-form"


@pytest.mark.parametrize("text", ["7", "[]", "null", '"x"', "{}"])
def test_other_json(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    assert code(path) == "lock-form"


def test_too_deep(path: Path) -> None:
    path.write_text("[" * 200_000, encoding="utf-8")
    assert code(path) == "lock-syntax"


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(Failed) as caught:
        load_lock(tmp_path / "x.yaml", "MambaForCausalLM")
    assert caught.value.problems[0].code == "lock-missing"


def test_a_failed_write_leaves_the_old_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise OSError("no space")

    before = path.read_bytes()
    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError):
        write_lock(path, "other")
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == [path.name]
