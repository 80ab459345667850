"""A build killed at any moment leaves the old tree or the new one, once the next command ran."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from output_support import NEW, OLD, Snapshot, at_step, in_child, snapshot

from adaptergen.output.compare import Outcome, compare
from adaptergen.output.staging import Interruption
from adaptergen.output.transaction import build, recover

if not hasattr(os, "fork"):
    pytest.skip("this system cannot fork", allow_module_level=True)

KILLED = 9
MANY = 1000


def die(name: str) -> None:
    os._exit(KILLED)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Snapshot, Snapshot]:
    """The old tree, and the new one."""
    out = tmp_path_factory.mktemp("trees")
    build(out, OLD)
    old = snapshot(out)
    build(out, NEW)
    return old, snapshot(out)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def fresh(out: Path) -> None:
    """Put the old tree at `out`."""
    shutil.rmtree(out, ignore_errors=True)
    build(out, OLD)


def reported(out: Path, trees: tuple[Snapshot, Snapshot]) -> bool:
    """A check reports what a killed build left, and changes nothing; whether it left anything."""
    before = snapshot(out)
    found = compare(out, NEW).interruption
    if (out / ".adaptergen").exists():
        assert found not in (None, Interruption.RUNNING)
        report = build(out, NEW, write=False)
        assert (report.outcome, report.exit_code) == (Outcome.INTERRUPTED, 1)
        assert "interrupted" in report.summary
    else:
        assert found is None
    if snapshot(out, staging=False) not in trees:
        assert found in (Interruption.HALF_DONE, Interruption.HALF_UNDONE)
    assert snapshot(out) == before
    return found is not None


def settled(out: Path, trees: tuple[Snapshot, Snapshot]) -> Snapshot:
    """After recovery the tree is exactly one of the two, and a build makes the new one."""
    recover(out)
    state = snapshot(out)
    assert state in trees
    assert build(out, NEW).exit_code == 0
    assert snapshot(out) == trees[1]
    return state


def each_step(limit: int = MANY) -> Iterator[int]:
    yield from range(limit)
    raise AssertionError("the build does not come to an end")


def test_killed_before_every_step(out: Path, trees: tuple[Snapshot, Snapshot]) -> None:
    ends = []
    for step in each_step():
        fresh(out)

        def work(step: int = step) -> None:
            with at_step(step, die):
                build(out, NEW)

        code = in_child(work)
        if code == 0:
            break
        assert code == KILLED
        reported(out, trees)
        ends.append(trees.index(settled(out, trees)))
    # First it is rolled back, from some step on it is finished, and never the other way round.
    assert ends == sorted(ends) and set(ends) == {0, 1} and len(ends) > 50


def test_killed_in_the_middle_of_a_write(out: Path, trees: tuple[Snapshot, Snapshot]) -> None:
    for number in each_step():
        fresh(out)

        def work(number: int = number) -> None:
            real, count = os.write, iter(range(MANY))

            def half(handle: int, data: bytes) -> int:
                if next(count) == number:
                    real(handle, data[: len(data) // 2])
                    os._exit(KILLED)
                return real(handle, data)

            os.write = half  # type: ignore[assignment]
            build(out, NEW)

        if in_child(work) == 0:
            break
        reported(out, trees)
        assert settled(out, trees) == trees[0]
    assert number > 5


def test_the_next_build_settles_first(out: Path, trees: tuple[Snapshot, Snapshot]) -> None:
    def work() -> None:
        replaces = iter(range(MANY))

        def third(source: Path, target: Path) -> None:
            if next(replaces) == 3:
                os._exit(KILLED)
            os.rename(source, target)

        os.replace = third  # type: ignore[assignment]
        build(out, NEW)

    for wanted, tree in ((OLD, trees[0]), (NEW, trees[1])):
        fresh(out)
        assert in_child(work) == KILLED
        report = build(out, wanted)
        assert report.exit_code == 0 and report.recovered is Interruption.HALF_DONE
        # A build of the old specs does not know of the folder of the third one.
        found = {path: data for path, data in snapshot(out).items() if path[0] != "o"}
        assert found == {path: data for path, data in tree.items() if path[0] != "o"}
        assert "an interrupted build was recovered first" in report.lines


def test_killed_while_recovering(out: Path, trees: tuple[Snapshot, Snapshot]) -> None:
    """Every sixth step of a build, and then of the recovery."""
    for step in each_step():
        fresh(out)
        killed = in_child(lambda step=step: at(step, lambda: build(out, NEW)))  # type: ignore[misc]
        if killed == 0:
            break
        if step % 6:
            continue
        kept = out.with_name("kept")
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(out, kept)
        for second in range(step // 6 % 6, MANY, 6):
            shutil.rmtree(out)
            shutil.copytree(kept, out)
            code = in_child(lambda second=second: at(second, lambda: recover(out)))  # type: ignore[misc]
            reported(out, trees)
            settled(out, trees)
            if code == 0:
                break


def at(step: int, work: object) -> None:
    assert callable(work)
    with at_step(step, die):
        work()


@pytest.mark.parametrize("back", [1, 3, 6])
def test_killed_while_undoing(out: Path, trees: tuple[Snapshot, Snapshot], back: int) -> None:
    """The disk fails at a late step, the build undoes its work and is killed during that."""
    fresh(out)
    with at_step(-1, lambda _: None) as steps:
        build(out, NEW)
    failing = [number for number, name in enumerate(steps) if name == "replace"][-back]

    def fail(name: str) -> None:
        raise OSError(errno.ENOSPC, "no space")

    for second in each_step():
        fresh(out)

        def work(second: int = second) -> None:
            # The failed step does not reach the outer count.
            with at_step(failing + second, die), at_step(failing, fail):
                report = build(out, NEW)
            assert report.outcome is Outcome.FAILED

        code = in_child(work)
        reported(out, trees)
        recover(out)
        state = snapshot(out)
        assert state in trees
        if second > 0:
            # The journal is turned round.
            assert state == trees[0]
        if code == 0:
            break


def killed_after(seconds: float, out: Path) -> bool:
    """Kill a build so long after it began; whether it still ran."""
    begun, begins = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begins, b".")
        build(out, NEW)
        os._exit(0)
    os.read(begun, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(begun)
    os.close(begins)
    return os.WIFSIGNALED(status)


def test_killed_at_two_hundred_random_moments(out: Path, trees: tuple[Snapshot, Snapshot]) -> None:
    # How long a build takes depends on what else the machine does, so each kill corrects it.
    length = 0.02
    chance = random.Random(17)
    interrupted = 0
    for number in range(200):
        fresh(out)
        length *= 1.05 if killed_after(chance.uniform(0, length), out) else 0.85
        interrupted += reported(out, trees)
        if number % 2:
            settled(out, trees)
        else:
            assert build(out, NEW).exit_code == 0
            assert snapshot(out) == trees[1]
    assert interrupted > 20, "the kills came too early or too late to prove anything"
