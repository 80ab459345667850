"""Locking and comparing what is installed: the small hybrid, as it is and as releases break it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from changes import CHANGES
from hybrid_support import CLASS, TEXT, put

pytestmark = pytest.mark.heavy

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def locked(spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The spec of the hybrid in a folder of its own, with a lock."""
    import shutil

    shutil.copytree(spec.parent, tmp_path / "specs")
    path = tmp_path / "specs" / spec.name
    put(TEXT, monkeypatch)
    code, _, err = run("lock", path)
    assert code == 0 and err.startswith("wrote: "), err
    return path


def files(path: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in path.parent.rglob("*") if p.is_file()}


def test_a_lock_is_fresh_until_something_changes(
    locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(locked)
    code, _, err = run("lock", locked, "--check")
    assert code == 0 and err.startswith("unchanged: ")
    code, out, _ = run("drift", locked)
    assert code == 0 and "nothing changed that it rests on" in out
    put(CHANGES[0].apply(TEXT), monkeypatch)
    code, _, err = run("lock", locked, "--check")
    assert code == 1 and err.startswith("stale: ")
    assert files(locked) == before


def test_drift_names_the_line_in_the_spec_and_what_to_do(
    locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(CHANGES[0].apply(TEXT), monkeypatch)
    code, out, _ = run("drift", locked)
    assert code == 1 and "silent: linear_attention (layers 0, 3): `mixer.conv1d`" in out
    shape = (locked.parent / "shapes" / "conv_mixer.yaml").read_text("utf-8").splitlines()
    line = next(number for number, text in enumerate(shape, 1) if text.strip() == "conv1d:")
    assert (
        f"shapes/conv_mixer.yaml:{line}: add `taps:` of the component around it, for its hooks"
        in out
    )


def test_a_build_refuses_what_the_lock_does_not_show(
    locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run("build", locked, "--out", tmp_path / "out")[0] == 0
    put(CHANGES[0].apply(TEXT), monkeypatch)
    assert run("lock", locked)[0] == 0
    before = files(tmp_path / "out" / "x")
    code, _, err = run("build", locked, "--out", tmp_path / "out")
    assert code == 2 and "shapes/conv_mixer.yaml:" in err and "error[lock-uncalled]" in err
    assert "HybridConvMixer.forward" in err and "hint: add `taps: {conv1d.hook_in: " in err
    assert files(tmp_path / "out" / "x") == before


def replaced(old: str, new: str) -> str:
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


FORWARD = "        outputs = self.model(input_ids, attention_mask, past_key_values, use_cache)\n"
POST_INIT = "        if self.layers_block_type is None:\n"

#: What the release does, and the code with which a lock is refused; breaking for `drift`, or not.
BROKEN = {
    "the forward raises": (
        replaced(FORWARD, "        raise ValueError('no')\n"), "hf-forward", True,
    ),
    "the config raises": (
        replaced(POST_INIT, "        raise TypeError('no')\n" + POST_INIT), "hf-config", True,
    ),
    "the config raises on hasattr": (
        replaced(
            "    def __post_init__(self, **kwargs):\n",
            "    @property\n    def shared(self):\n        raise ValueError('of layers only')\n\n"
            "    def __post_init__(self, **kwargs):\n",
        ), "", True,
    ),
    "the class is gone": (TEXT.replace(CLASS, "RenamedForCausalLM"), "hf-class", True),
    "the forward hangs": (
        replaced(FORWARD, "        while True:\n            pass\n"), "hf-time", False,
    ),
    "the process ends": (
        replaced(FORWARD, "        import os\n\n        os._exit(3)\n"), "hf-crash", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks(name: str, locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    text, problem, is_finding = BROKEN[name]
    put(text, monkeypatch)
    before = files(locked)
    code, _, err = run("lock", locked, "--time-limit", "4")
    assert code == (2 if problem else 0), err
    assert f"error[{problem}]" in err and "hint: " in err if problem else True
    if problem:
        assert files(locked) == before
    code, out, err = run("drift", locked, "--time-limit", "4")
    if not problem:
        assert code == 0
    elif is_finding:
        assert code == 1 and "breaking: " in out and "1 breaking" in out
    else:
        assert code == 2 and out == "" and f"error[{problem}]" in err


def test_a_package_that_is_missing(locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    class Missing:
        def __getattr__(self, name: str) -> Any:
            raise ImportError("it needs the package nowhere", name="nowhere")

    monkeypatch.setattr(transformers, CLASS, Missing())
    before = files(locked)
    for command in ("lock", "drift"):
        code, out, err = run(command, locked)
        assert code == 2 and out == "" and "error[hf-import]" in err and "pip install" in err
    assert files(locked) == before


def test_against_another_release_than_the_newest(run: Run, tmp_path: Path) -> None:
    """The lock has what is installed: the same is found as between two releases of it."""
    import json

    import transformers

    from adaptergen.lock.store import lock_path, read_lock
    from adaptergen.resources import specs

    spec, installed = specs() / "nemotron_h.yaml", transformers.__version__
    if not any(
        name.startswith(f"{installed}/") for name in read_lock(lock_path(spec), spec.name).releases
    ):
        pytest.skip(f"transformers {installed} is not locked")
    seen = []
    for between in (("--against", "5.12.1"), ("--from", "5.12.1", "--to", installed)):
        code, out, err = run("drift", spec, *between, "--format", "json")
        assert code == 1, err
        (found,) = json.loads(out)["specs"]
        seen.append([{**one, "source": None} for one in found["findings"]])
        if between[0] == "--against":
            for one in found["findings"]:
                # The place in the source that is installed, of what stands in it.
                is_there = one["hf"] and one["severity"] != "benign"
                assert not is_there or re.fullmatch(
                    r"(transformers|torch)/\S+\.py:\d+", one["source"]
                )
            assert any(one["source"] for one in found["findings"])
    assert seen[0] == seen[1]


def test_several_specs_at_once(locked: Path, run: Run) -> None:
    """More than are done one after the other."""
    import shutil

    text, lock = locked.read_text("utf-8"), locked.with_name("drift_hybrid.lock.json")
    paths = [locked]
    for number in range(4):
        path = locked.with_name(f"other_{number}.yaml")
        path.write_text(text.replace("module: drift_hybrid", f"module: other_{number}"), "utf-8")
        shutil.copy(lock, path.with_name(f"other_{number}.lock.json"))
        paths.append(path)
    code, out, err = run("drift", *paths)
    assert code == 0, err
    assert out.count("nothing changed that it rests on") == 5


def test_mistakes_in_several_specs_come_before_what_is_missing(
    locked: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Specs are read beside the imports, and all that is wrong with them is told nevertheless."""
    from adaptergen.observe import commands as command

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    paths = [locked]
    for number in range(2):
        paths.append(locked.with_name(f"other_{number}.yaml"))
        paths[-1].write_text(locked.read_text("utf-8") + f"wrong_{number}: 1\n", "utf-8")
    monkeypatch.setattr(command, "require", missing)
    code, out, err = run("drift", *paths)
    assert code == 2 and out == "" and err.count("error[unknown-key]") == 2
    assert "`wrong_0`" in err and "`wrong_1`" in err
    code, out, err = run("drift", *paths[:1], *paths[:1])
    assert code == 2 and out == "" and "pip install" in err
