"""What a build, a check and a diff do to a tree where nothing fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from output_support import META, NEW, OLD, at_step, snapshot

from adaptergen.output.compare import Outcome, State, compare
from adaptergen.output.transaction import build
from adaptergen.output.tree import OutputTree


def test_first_build_writes_all_and_leaves_no_staging(tmp_path: Path) -> None:
    report = build(tmp_path, OLD)
    assert (report.outcome, report.exit_code) == (Outcome.WRITTEN, 0)
    assert report.summary == "Wrote: 6 new."
    assert (tmp_path / "m/src/code.py").read_bytes() == b"old\n"
    assert not (tmp_path / ".adaptergen").exists()


def test_the_output_folder_is_made(tmp_path: Path) -> None:
    assert build(tmp_path / "far/out", OLD).exit_code == 0
    assert (tmp_path / "far/out/n/x.py").exists()


def written(path: Path) -> tuple[int, int]:
    """Which file it is and when it was last written; to read it changes neither."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


def test_a_second_build_takes_no_step_and_touches_nothing(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    before = {path: path.stat() for path in tmp_path.rglob("*")}
    with at_step(-1, lambda _: None) as steps:
        report = build(tmp_path, OLD)
    assert (report.outcome, report.summary, steps) == (
        Outcome.UNCHANGED,
        "Fine: 6 unchanged.",
        [],
    )
    assert {path: path.stat().st_mtime_ns for path in before} == {
        path: stat.st_mtime_ns for path, stat in before.items()
    }


def test_a_change_writes_only_what_changed(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    same = written(tmp_path / "m/same.py")
    report = build(tmp_path, NEW)
    states = {entry.path: entry.state for entry in report.comparison.pending}  # type: ignore[union-attr]
    assert states == {
        "m/gone/for/ever.py": State.REMOVED,
        "m/src/code.py": State.CHANGED,
        "m/tests/deep/fresh.py": State.NEW,
        "m/manifest.json": State.CHANGED,
        "n/x.py": State.CHANGED,
        "n/manifest.json": State.CHANGED,
        "o/empty.py": State.NEW,
        "o/manifest.json": State.NEW,
    }
    assert written(tmp_path / "m/same.py") == same
    assert not (tmp_path / "m/gone").exists()
    fresh = tmp_path.parent / "fresh"
    build(fresh, NEW)
    assert snapshot(tmp_path) == snapshot(fresh)


def test_check_and_diff_change_nothing(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    before = snapshot(tmp_path)
    with at_step(-1, lambda _: None) as steps:
        report = build(tmp_path, NEW, write=False)
    assert (report.outcome, report.exit_code, steps) == (Outcome.STALE, 1, [])
    assert snapshot(tmp_path) == before
    assert "--- a/m/src/code.py\n+++ b/m/src/code.py\n@@ -1 +1 @@\n-old\n+new\n" in report.diff
    assert "--- a/m/gone/for/ever.py\n+++ /dev/null\n" in report.diff
    assert "--- /dev/null\n+++ b/o/empty.py\n" in report.diff
    assert report.summary.startswith("Stale (3 new, 4 changed, 1 removed, 1 unchanged): run `")
    assert f"build specs/m.yaml specs/n.yaml specs/o.yaml --out {tmp_path}`" in report.summary


def test_check_of_a_fresh_tree_is_fine(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    assert build(tmp_path, OLD, write=False).exit_code == 0


def test_a_spec_on_its_own_leaves_the_others_alone(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    n = snapshot(tmp_path / "n")
    build(tmp_path, NEW[:1])
    assert snapshot(tmp_path / "n") == n


def test_the_manifest_is_sorted_and_timeless(tmp_path: Path) -> None:
    build(tmp_path, OLD)
    text = (tmp_path / "m/manifest.json").read_text()
    content = json.loads(text)
    assert text == json.dumps(content, indent=2, sort_keys=True) + "\n"
    assert set(content) == {"tool", "format", "spec", "meta", "files"}
    assert (content["tool"], content["spec"], content["meta"]) == (
        "adaptergen",
        "specs/m.yaml",
        META,
    )
    assert list(content["files"]) == ["gone/for/ever.py", "same.py", "src/code.py"]


def test_new_metadata_alone_makes_the_manifest_stale(tmp_path: Path) -> None:
    build(tmp_path, [OutputTree("m", "specs/m.yaml", {"a": b""}, {"v": 1})])
    comparison = compare(tmp_path, [OutputTree("m", "specs/m.yaml", {"a": b""}, {"v": 2})])
    assert [entry.path for entry in comparison.pending] == ["m/manifest.json"]


def test_diff_of_bytes_and_of_a_last_line_without_end(tmp_path: Path) -> None:
    build(tmp_path, [OutputTree("m", "s.yaml", {"a": b"one", "b": b"\xff"})])
    new = OutputTree("m", "s.yaml", {"a": b"two\x0c", "b": b"\xfe"})
    diff = build(tmp_path, [new], write=False).diff
    no_end = "\\ No newline at end of file\n"
    assert f"-one\n{no_end}+two\x0c\n{no_end}" in diff
    assert "Binary files a/m/b and b/m/b differ\n" in diff


@pytest.mark.parametrize(
    "path", ["", "/a", "a/../b", "..", "a//b", "a/", "./a", "a\\b", "c:a", "a\0b", "manifest.json"]
)
def test_a_bad_path_is_a_bug_of_ours(path: str) -> None:
    with pytest.raises(ValueError):
        OutputTree("m", "specs/m.yaml", {path: b""})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".adaptergen", "/m"])
def test_a_bad_folder_name_is_a_bug_of_ours(name: str) -> None:
    with pytest.raises(ValueError):
        OutputTree(name, "specs/m.yaml", {})


def test_files_that_cannot_lie_together_are_a_bug_of_ours(tmp_path: Path) -> None:
    for files in ({"a": b"", "a/b": b""}, {"a": b"", "A": b""}):
        with pytest.raises(ValueError):
            OutputTree("m", "specs/m.yaml", files)
    with pytest.raises(ValueError):
        compare(tmp_path, [OutputTree("m", "a", {}), OutputTree("M", "b", {})])
    with pytest.raises(ValueError):
        OutputTree("m", os.path.abspath("specs/m.yaml"), {})


def test_a_newer_tree_that_comes_with_every_build_is_kept(tmp_path: Path) -> None:
    new = OutputTree("_runtime", "adaptergen", {"taps.py": b"new\n"}, version=2)
    old = OutputTree("_runtime", "adaptergen", {"taps.py": b"old\n"}, version=1)
    assert build(tmp_path, [new, *OLD]).outcome is Outcome.WRITTEN
    before = snapshot(tmp_path / "_runtime")
    report = build(tmp_path, [old, *NEW])
    assert report.outcome is Outcome.WRITTEN
    assert "kept: _runtime, which a newer adaptergen wrote" in report.lines
    assert snapshot(tmp_path / "_runtime") == before
    assert build(tmp_path, [old, *NEW], write=False).outcome is Outcome.UNCHANGED
