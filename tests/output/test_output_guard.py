"""Work that is not ours is never lost: hand edits, foreign files, links, things in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from output_support import NEW, OLD, snapshot

from adaptergen.output.compare import Outcome, State, compare
from adaptergen.output.transaction import build
from adaptergen.output.tree import OutputTree


def refused(out: Path, wanted: tuple[OutputTree, ...] = NEW) -> str:
    """Build and check are both refused and change nothing; the refusal's text."""
    before = snapshot(out)
    report = build(out, wanted)
    check = build(out, wanted, write=False)
    assert (report.outcome, report.exit_code) == (check.outcome, check.exit_code)
    assert (report.outcome, report.exit_code) == (Outcome.REFUSED, 1)
    assert snapshot(out) == before
    assert "--force" in report.summary and "move the edit into the spec" in report.summary
    return report.refusal


def failed(out: Path, message: str, wanted: tuple[OutputTree, ...] = NEW) -> None:
    """Build (forced or not) and check name what is in the way, and change nothing."""
    before = snapshot(out) if out.is_dir() else {}
    for report in (
        build(out, wanted),
        build(out, wanted, force=True),
        build(out, wanted, write=False),
    ):
        assert (report.outcome, report.exit_code) == (Outcome.FAILED, 2)
        assert message in report.summary and "hint: " in report.summary
    assert (snapshot(out) if out.is_dir() else {}) == before


@pytest.fixture
def out(tmp_path: Path) -> Path:
    build(tmp_path / "out", OLD)
    return tmp_path / "out"


def test_an_edit_stops_all_specs_and_force_overwrites_it(out: Path) -> None:
    (out / "n/x.py").write_text("mine\n")
    assert refused(out) == "--- a/n/x.py\n+++ b/n/x.py\n@@ -1 +1 @@\n-mine\n+n new\n"
    assert build(out, NEW, force=True).summary.startswith("Wrote: 3 new, 3 changed, 1 removed")
    assert compare(out, NEW).pending == ()


def test_an_edit_stops_an_otherwise_unchanged_build(out: Path) -> None:
    (out / "m/same.py").write_text("mine\n")
    assert "-mine\n+same\n" in refused(out, OLD)


def test_an_edit_that_the_spec_now_makes_is_no_edit(out: Path) -> None:
    (out / "n/x.py").write_bytes(b"n new\n")
    assert build(out, NEW).outcome is Outcome.WRITTEN
    assert compare(out, NEW).pending == ()


def test_an_edited_file_is_not_removed(out: Path) -> None:
    (out / "m/gone/for/ever.py").write_text("mine\n")
    assert "-mine\n" in refused(out)
    build(out, NEW, force=True)
    assert not (out / "m/gone").exists()


def test_a_file_removed_by_hand_comes_back(out: Path) -> None:
    (out / "m/same.py").unlink()
    (out / "m/gone/for/ever.py").unlink()
    assert build(out, NEW).outcome is Outcome.WRITTEN
    assert (out / "m/same.py").read_bytes() == b"same\n"


def test_foreign_files_are_not_touched_even_by_force(out: Path) -> None:
    for name in ("m/notes.txt", "m/gone/for/notes.txt", "own.txt"):
        (out / name).write_text("mine\n")
    assert build(out, NEW, force=True).outcome is Outcome.WRITTEN
    assert {(out / name).read_text() for name in ("m/notes.txt", "own.txt")} == {"mine\n"}
    assert os.listdir(out / "m/gone/for") == ["notes.txt"]


def test_a_foreign_file_in_the_place_of_ours(out: Path) -> None:
    (out / "o").mkdir()
    (out / "o/empty.py").write_text("mine\n")
    assert "-mine\n" in refused(out)
    assert build(out, NEW, force=True).outcome is Outcome.WRITTEN
    assert (out / "o/empty.py").read_bytes() == b""


def test_a_foreign_file_with_our_content_is_adopted(out: Path) -> None:
    (out / "o").mkdir()
    (out / "o/empty.py").touch()
    assert build(out, NEW).outcome is Outcome.WRITTEN


@pytest.mark.parametrize(
    "text",
    ["<<<<<<< ours", "[]", '{"tool": "other"}', '{"tool": "adaptergen", "files": []}', "\xff"],
)
def test_a_manifest_that_is_not_ours(out: Path, text: str) -> None:
    (out / "n/manifest.json").write_text(text, encoding="latin-1")
    entries = compare(out, OLD).of(State.EDITED)
    assert [entry.path for entry in entries] == ["n/manifest.json"]
    refused(out)
    assert build(out, NEW, force=True).outcome is Outcome.WRITTEN


def test_a_manifest_cannot_make_us_remove_files_elsewhere(out: Path) -> None:
    victim = out.parent / "victim"
    victim.touch()
    content = json.loads((out / "n/manifest.json").read_text())
    content["files"]["../../victim"] = (
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    (out / "n/manifest.json").write_text(json.dumps(content))
    refused(out)
    build(out, NEW, force=True)
    assert victim.exists()


def test_a_manifest_of_a_later_format(out: Path) -> None:
    (out / "n/manifest.json").write_text('{"tool": "adaptergen", "format": 2, "files": {}}')
    failed(out, "format 2")


@pytest.mark.parametrize("name", ["m", "m/src", "m/src/code.py", "m/gone/for", "o", ".adaptergen"])
@pytest.mark.parametrize("dangling", [False, True])
def test_links_below_the_output_folder_are_refused(out: Path, name: str, dangling: bool) -> None:
    elsewhere = out.parent / "elsewhere"
    if (out / name).exists():
        (out / name).rename(elsewhere)
    elif not dangling:
        elsewhere.mkdir()
    (out / name).symlink_to(out.parent / "nowhere" if dangling else elsewhere)
    content = snapshot(elsewhere)
    failed(out, "a link inside the output folder")
    assert snapshot(elsewhere) == content


def test_the_output_folder_may_be_a_link(out: Path) -> None:
    link = out.parent / "link"
    link.symlink_to(out)
    assert build(link, OLD).outcome is Outcome.UNCHANGED
    assert build(link, NEW).outcome is Outcome.WRITTEN
    assert compare(out, NEW).pending == () and link.is_symlink()


@pytest.mark.parametrize("name", ["o", "m/tests", "m/tests/deep", ".adaptergen"])
def test_a_file_where_a_folder_is_wanted(out: Path, name: str) -> None:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).write_text("mine\n")
    failed(out, "a file stands where a folder is wanted")


@pytest.mark.parametrize("name", ["m/tests/deep/fresh.py", "o/manifest.json"])
def test_a_folder_where_a_file_is_wanted(out: Path, name: str) -> None:
    (out / name).mkdir(parents=True)
    failed(out, "a folder stands where a file is wanted")


def test_a_pipe_where_a_file_is_wanted(out: Path) -> None:
    (out / "o").mkdir()
    os.mkfifo(out / "o/empty.py")
    failed(out, "not a regular file")


def test_the_output_folder_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine\n")
    failed(tmp_path / "out", "a file stands where a folder is wanted")
    failed(tmp_path / "out/below", "a file stands where a folder is wanted")
    assert (tmp_path / "out").read_text() == "mine\n"
