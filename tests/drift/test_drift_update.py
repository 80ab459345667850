"""`adaptergen update`: what follows from a change is shown, made when asked, and taken back."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adaptergen.spec.load import load_shape

sys.path.insert(0, str(Path(__file__).parent))
from changes import EVERY
from hybrid_support import TEXT, put

pytestmark = pytest.mark.heavy

Run = Callable[..., tuple[int, str, str]]
NAMED = {change.name: change for change in EVERY}


@pytest.fixture
def spec_file(spec: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run) -> Path:
    """The spec of the hybrid, locked, in the working directory."""
    shutil.copytree(spec.parent, tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    # Shapes are known by their relative path, which another test may have had too.
    load_shape.cache_clear()
    put(TEXT, monkeypatch)
    path = Path("specs") / spec.name
    code, _, err = run("lock", path)
    assert code == 0, err
    return path


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_nothing_to_do(spec_file: Path, run: Run) -> None:
    before = files()
    code, out, err = run("update", spec_file)
    assert code == 0, out + err
    assert "nothing changed that it rests on" in out and "Fine: all as promised" in out
    assert {name: data for name, data in files().items() if name in before} == before
    assert (Path("generated") / "drift_hybrid" / "HOOKS.md").is_file()


@pytest.mark.parametrize(
    ("name", "removed", "added"),
    [
        (
            "e: a path was renamed",
            "  unembed: {shape: unembedding, path: lm_head}",
            "  unembed: {shape: unembedding, path: embed_out}",
        ),
        ("a kind of layer has another name", None, "      formerly: [convolution]"),
    ],
)
def test_a_change_that_follows(
    name: str,
    removed: str | None,
    added: str,
    spec_file: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(NAMED[name].apply(TEXT), monkeypatch)
    before, text = files(), spec_file.read_text("utf-8")
    code, out, err = run("update", spec_file)
    assert code == 1 and "--write" in err and files() == before
    assert f"\n+{added}\n" in out and (not removed or f"\n-{removed}\n" in out)
    code, out, err = run("update", spec_file, "--write")
    assert code == 0, out + err
    lines, now = text.splitlines(), spec_file.read_text("utf-8").splitlines()
    assert [line for line in now if line != added] == [line for line in lines if line != removed]
    assert run("drift", spec_file)[0] == 0 and run("lock", spec_file, "--check")[0] == 0
    assert run("build", spec_file, "--check")[0] == 0


def test_what_does_not_follow_is_left_to_people(
    spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(NAMED["a: a weight is used by a function and its module never called"].apply(TEXT),
        monkeypatch)  # fmt: skip
    before = files()
    code, out, err = run("update", spec_file, "--write")
    assert code == 2 and "silent: linear_attention" in out and "error[lock-functional]" in err
    assert files() == before
