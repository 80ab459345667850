"""Two builds in one folder do not mix, and a dead one does not block."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from output_support import in_child, snapshot

from adaptergen.output import staging
from adaptergen.output.compare import Outcome, compare
from adaptergen.output.staging import Interruption, _lock, locked
from adaptergen.output.transaction import build
from adaptergen.output.tree import OutputTree

if not hasattr(os, "fork"):
    pytest.skip("this system cannot fork", allow_module_level=True)


def version(letter: str) -> list[OutputTree]:
    return [OutputTree("m", "specs/m.yaml", {f"{n}.py": letter.encode() for n in range(5)})]


def test_builds_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    def work(letter: str) -> None:
        for _ in range(15):
            report = build(tmp_path, version(letter))
            assert report.exit_code == 0, report.summary

    children = []
    for letter in "abcd":
        child = os.fork()
        if child == 0:
            code = 1
            try:
                work(letter)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0, 0]
    assert not (tmp_path / ".adaptergen").exists()
    assert any(compare(tmp_path, version(letter)).pending == () for letter in "abcd")


def test_a_running_build_is_reported_and_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(tmp_path, version("a"))
    monkeypatch.setattr(staging, "PATIENCE", 0.1)
    with locked(tmp_path):
        before = snapshot(tmp_path)
        assert compare(tmp_path, version("b")).interruption is Interruption.RUNNING
        check = build(tmp_path, version("b"), write=False)
        assert (check.exit_code, "another build is writing here" in check.summary) == (1, True)
        report = build(tmp_path, version("b"))
        assert (report.exit_code, "another build" in report.summary) == (2, True)
        assert snapshot(tmp_path) == before
    assert build(tmp_path, version("b")).outcome is Outcome.WRITTEN


def test_a_lock_that_its_holder_removed_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    path, real = tmp_path / "lock", fcntl.flock

    def late(handle: int, how: int) -> None:
        path.unlink()
        path.touch()
        real(handle, how)

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", late)
        assert _lock(path) is None
    assert _lock(path) is not None


def test_the_lock_of_a_dead_process_does_not_block(tmp_path: Path) -> None:
    (tmp_path / ".adaptergen").mkdir()

    def work() -> None:
        assert _lock(tmp_path / ".adaptergen/lock") is not None

    assert in_child(work) == 0
    assert (tmp_path / ".adaptergen/lock").exists()
    assert compare(tmp_path, version("a")).interruption is Interruption.STAGED
    assert build(tmp_path, version("a")).outcome is Outcome.WRITTEN
    assert not (tmp_path / ".adaptergen").exists()
