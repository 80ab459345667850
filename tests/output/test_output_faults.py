"""Steps that fail: the old tree stays, and the message says what mends it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from output_support import NEW, OLD, Snapshot, at_step, in_child, snapshot

from adaptergen.output import staging
from adaptergen.output.compare import Outcome, compare
from adaptergen.output.transaction import build, recover
from adaptergen.output.tree import OutputTree

NOBODY = 65534


@pytest.fixture
def out(tmp_path: Path) -> Path:
    build(tmp_path / "out", OLD)
    return tmp_path / "out"


def raising(number: int) -> object:
    def act(name: str) -> None:
        raise OSError(number, os.strerror(number))

    return act


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_every_step_fails_once(out: Path, error: int) -> None:
    old, outcomes = snapshot(out), []
    for step in range(1000):
        shutil.rmtree(out)
        build(out, OLD)
        with at_step(step, raising(error)) as seen:  # type: ignore[arg-type]
            report = build(out, NEW)
        if len(seen) <= step:
            break
        outcomes.append(report.outcome)
        if report.outcome is Outcome.FAILED:
            assert report.exit_code == 2 and "hint: " in report.summary
            assert snapshot(out) == old, (step, seen[step])
        else:
            # A link that cannot be made is no failure, nor is a clean-up that cannot be done.
            assert report.outcome is Outcome.WRITTEN
            assert snapshot(out, staging=False) != old
            recover(out)
            assert compare(out, NEW).pending == ()
    assert {Outcome.FAILED, Outcome.WRITTEN} == set(outcomes)
    assert outcomes.count(Outcome.FAILED) > 40


def test_the_disk_dies_at_every_step(out: Path) -> None:
    """From one step on all fail, also those that put the old files back."""
    old = snapshot(out)
    for step in range(1000):
        shutil.rmtree(out)
        build(out, OLD)
        report, reached = _dying(out, step)
        if not reached:
            break
        if snapshot(out, staging=False) != old and report is Outcome.FAILED:
            assert build(out, NEW, write=False).outcome is Outcome.INTERRUPTED
        recover(out)
        if report is Outcome.FAILED:
            assert snapshot(out) == old or compare(out, NEW).pending == ()
        assert build(out, NEW).exit_code == 0
        assert compare(out, NEW).pending == ()


def _dying(out: Path, step: int) -> tuple[Outcome, bool]:
    count = iter(range(10_000))
    reached = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "write", "fsync", "link", "mkdir", "replace", "rmdir", "unlink"):
            real = getattr(os, name)

            def dead(*args: object, _real: object = real, **kwargs: object) -> object:
                if next(count) >= step:
                    reached.append(1)
                    raise OSError(errno.EIO, "dead")
                assert callable(_real)
                return _real(*args, **kwargs)

            patch.setattr(os, name, dead)
        return build(out, NEW).outcome, bool(reached)


def test_an_interrupt_from_the_keyboard_is_undone(out: Path) -> None:
    old = snapshot(out)

    def act(name: str) -> None:
        raise KeyboardInterrupt

    for step in range(1000):
        with at_step(step, act) as seen, suppress(KeyboardInterrupt):
            build(out, NEW)
        if len(seen) <= step:
            break
        recover(out)
        assert snapshot(out) == old or compare(out, NEW).pending == (), step
        shutil.rmtree(out)
        build(out, OLD)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "may not read or write"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "put/output error"),
    ],
)
def test_the_message_names_the_cause(out: Path, error: int, words: str) -> None:
    with at_step(3, raising(error)):  # type: ignore[arg-type]
        report = build(out, NEW)
    assert words in report.summary and str(out) in report.summary


def test_a_file_changed_during_the_build_is_kept(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, real = snapshot(out), os.replace

    def edit(source: Path, target: Path) -> None:
        real(source, target)
        if Path(target).name == "code.py":
            (out / "n/x.py").unlink()
            (out / "n/x.py").write_bytes(b"mine\n")

    monkeypatch.setattr(os, "replace", edit)
    report = build(out, NEW)
    assert report.outcome is Outcome.FAILED and "n/x.py" in report.summary
    assert snapshot(out) == {**old, "n/x.py": b"mine\n"}
    assert build(out, NEW).outcome is Outcome.REFUSED


def test_an_edit_of_a_new_file_survives_the_undoing(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, real = snapshot(out), os.replace

    def edit(source: Path, target: Path) -> None:
        if Path(target).name == "x.py":
            (out / "m/src/code.py").write_bytes(b"mine\n")
            monkeypatch.setattr(os, "replace", real)
            raise OSError(errno.EIO, "dead")
        real(source, target)

    monkeypatch.setattr(os, "replace", edit)
    assert build(out, NEW).outcome is Outcome.FAILED
    assert snapshot(out) == {**old, "m/src/code.py": b"mine\n"}


def test_new_bytes_are_on_the_disk_before_the_journal_and_manifests_come_last(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved, real = [], os.replace

    def move(source: Path, target: Path) -> None:
        moved.append(Path(target).name)
        real(source, target)

    monkeypatch.setattr(os, "replace", move)
    with at_step(-1, lambda _: None) as steps:
        build(out, NEW)
    before = steps[: steps.index("replace")]
    # One more than there are files: the staging folder.
    assert before.count("fsync") == before.count("write") + len(["empty.py"]) + 1
    assert moved[0] == "journal.json" and moved[-3:] == ["manifest.json"] * 3


def test_a_journal_goes_before_the_files_it_speaks_of(out: Path) -> None:
    folder = out / ".adaptergen"
    folder.mkdir()
    for name in ("0.new", "journal.json"):
        (folder / name).touch()
    with at_step(1, raising(errno.EIO)), pytest.raises(OSError):  # type: ignore[arg-type]
        staging.drop(out)
    assert os.listdir(folder) == ["0.new"]


def test_a_journal_that_cannot_be_read(out: Path) -> None:
    (out / ".adaptergen").mkdir()
    for text in ("", "{}", '{"format": 1, "moves": [], "folders": ["../x"]}'):
        (out / ".adaptergen/journal.json").write_text(text)
        before = snapshot(out)
        report = build(out, NEW)
        assert (report.outcome, report.exit_code) == (Outcome.FAILED, 2)
        assert "journal" in report.summary and "git diff" in report.summary
        assert snapshot(out) == before


def test_without_hard_links(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*args: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    test_every_step_fails_once(out, errno.EIO)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_read_only_folder() -> None:
    with tempfile.TemporaryDirectory() as name:
        if os.geteuid() == 0:
            # chmod does not bind root: a child without its rights does the work.
            os.chown(name, NOBODY, NOBODY)
        assert in_child(lambda: _read_only(Path(name) / "out")) == 0


def _read_only(out: Path) -> None:
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    build(out, OLD)
    old = snapshot(out)
    for folder in (out / "n", out / "m/gone/for", out):
        folder.chmod(0o555)
        try:
            report = build(out, NEW)
            assert build(out, OLD).outcome is Outcome.UNCHANGED
        finally:
            folder.chmod(0o755)
        assert report.outcome is Outcome.FAILED and "may not read or write" in report.summary
        assert snapshot(out) == old


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no mount here: {error}")
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _filled(size: int, letter: bytes) -> list[OutputTree]:
    return [OutputTree("m", "specs/m.yaml", {f"{n}.py": letter * size for n in range(4)})]


def test_a_full_disk(small_disk: Path) -> None:
    assert build(small_disk, _filled(30_000, b"a")).outcome is Outcome.WRITTEN
    old = snapshot(small_disk)
    report = build(small_disk, _filled(40_000, b"b"))
    assert report.exit_code == 2 and "the disk is full" in report.summary
    assert snapshot(small_disk) == old
    assert build(small_disk, _filled(20_000, b"c")).outcome is Outcome.WRITTEN


def test_a_read_only_disk(small_disk: Path) -> None:
    build(small_disk, OLD)
    old: Snapshot = snapshot(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    report = build(small_disk, NEW)
    assert report.exit_code == 2 and "read-only" in report.summary
    assert build(small_disk, NEW, write=False).exit_code == 1
    assert build(small_disk, OLD).outcome is Outcome.UNCHANGED
    assert snapshot(small_disk) == old
