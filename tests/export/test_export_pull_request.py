"""The text of a pull request, and what is said of checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import HELIUM, NEMOTRON, Result, content, git

from adaptergen.export import checks
from adaptergen.export.checkout import REGISTRY_TEST, REGISTRY_TEST_CLASS
from adaptergen.export.checks import Check, verified
from adaptergen.export.command import dry_run, export
from adaptergen.export.pull_request import pull_request

Run = Callable[..., Result]
RECORD = {
    "versions": {"transformers": "5.0", "transformer-lens": "4.0", "torch": "2.0", "python": "3"},
    "parity": {"heron": {"default": {"plain": 0.0, "decode_step": 0.25}}},
    "generation": {"heron": {"default": {"with_cache": True, "left_padded": False}}},
    "summary": "All is well.",
}


def test_the_sections_are_those_of_the_template(upstream: Path, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pr.md"
    before = content(upstream)
    done = run("export", NEMOTRON, "--into", upstream, "--dry-run", "--replace", "--pr", file)
    assert done.code == 0 and content(upstream) == before
    text = file.read_text(encoding="utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#") and "###" not in line]
    assert headings == ["# Description", "## Type of change", "# Checklist:"]
    assert "<!--" not in text and "Please" not in text
    assert "| `attn.hook_pattern` |" in text and "Of layers of kind `mlp`" in text
    assert "- removed: name _make_optional -> nothing" in text
    assert "- [x] Breaking change" in text and "New feature" not in text
    assert "- [ ] New and existing unit tests pass locally" in text


def test_figures_come_with_versions_and_what_was_not_run(upstream: Path, new_spec: Path) -> None:
    done = dry_run(upstream, [new_spec], False, None)
    ran = [Check("black", True), Check("mypy", False, "x.py:1: error"),
           Check("pycln", None, "pycln not installed")]  # fmt: skip
    text = pull_request(done.made, ran, [RECORD])
    assert "transformers 5.0, transformer-lens 4.0, torch 2.0, python 3." in text
    assert "| default | 0.25 (decode_step) | not equal: left_padded |" in text
    assert "- passed: black" in text and "- FAILED: mypy (`x.py:1:` error)" in text
    left = text[text.index("### Not run") :]
    assert "- pycln: pycln not installed" in left and "test_heron_adapter.py: needs" in left
    assert "- [x] New feature" in text and "Bug fix" not in text
    shared = text.partition("### What adapters share")[2].partition("\n### ")[0]
    components = "transformer_lens/model_bridge/generalized_components"
    assert f"- new: `{components}/taps.py`: Taps: hooks on what functions take" in shared
    assert "adapter_contract/tables.py`: The tables of one architecture" in shared


def test_the_checks_run_on_the_checkout(
    upstream: Path, new_spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def noting(
        module: str, arguments: list[str], timeout: float, **more: object
    ) -> subprocess.CompletedProcess[str]:
        commands.append([module, *arguments])
        assert more["cwd"] == upstream.resolve()
        # What only reads files has no use for the modules of the checkout.
        assert more["path"] == ((upstream.resolve(),) if module == "pytest" else ())
        return subprocess.CompletedProcess([], module == "black", "one\nlast line\n", "")

    monkeypatch.setattr(checks, "run_isolated", noting)
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "isort" else name)
    done = run("export", new_spec, "--into", upstream)
    assert done.code == 1
    told = [line for line in done.err.splitlines() if line.startswith(("pass", "FAIL", "not run"))]
    assert "FAILED: black (last line)" in told and "not run: isort (isort not installed)" in told
    assert "passed: adaptergen audit" in told and len(told) == 7
    assert [command[0] for command in commands] == ["pycln", "black", "mypy", "pytest", "pytest"]
    assert commands[3][-1] == "TestRegistrySyncedWithFactory"
    assert "tests/integration/model_bridge/test_heron_tiny.py" in commands[4]


MYPY = {
    "ends well": (0, "", True, ""),
    "finds something elsewhere": (1, "b.py:1: error: no\n", True, ""),
    "finds something here": (1, "b.py:1: error: no\na.py:1: error: o\n", False, "a.py:1: error: o"),
    "cannot parse this": (2, "a.py:1: error: bad\n", False, "a.py:1: error: bad"),
    "cannot parse another": (2, "b.py:1: error: no\n", None, "b.py:1: error: no"),
    "lacks a plugin": (2, 'p.toml:1: error: No "x"\n', None, 'p.toml:1: error: No "x"'),
    "raises": (1, "Traceback\nImportError: x\n", None, "ImportError: x"),
    "is killed": (-9, "", None, "exit -9"),
}  # fmt: skip


@pytest.mark.parametrize("name", MYPY)
def test_mypy_has_passed_only_if_it_has_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output, passed, told = MYPY[name]
    ended = subprocess.CompletedProcess([], code, output, "")
    monkeypatch.setattr(checks, "run_isolated", lambda *_, **__: ended)
    monkeypatch.setattr(checks, "find_spec", lambda name: name)
    assert checks._types(tmp_path, ["a.py"]) == Check("mypy", passed, told)


def test_mypy_without_its_plugin_has_not_passed(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    (tmp_path / "pyproject.toml").write_text('[tool.mypy]\nplugins = ["no_such_plugin"]\n')
    (tmp_path / "a.py").write_text("x: int = 1\n")
    check = checks._types(tmp_path, ["a.py"])
    assert check.passed is None and "no_such_plugin" in check.detail


ENDS = {
    "took more than 30 minutes": None,
    "failed: no torch today": ("", "Traceback\nno torch today\n"),
    "failed: `x.yaml:1:` `error[bad-value]:` no": (
        "",
        "x.yaml:1: error[bad-value]: no\n\n1 problem.\n",
    ),
    "failed: no message": ("", ""),
    "gave no record": ("[]", ""),
}


@pytest.mark.parametrize("told", ENDS)
def test_a_verification_that_gives_nothing_says_why(
    told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> subprocess.CompletedProcess[str]:
        output = ENDS[told]
        if output is None:
            raise TimeoutError
        return subprocess.CompletedProcess([], 2, *output)

    monkeypatch.setattr(checks, "run_isolated", ended)
    monkeypatch.setattr(checks, "find_spec", lambda name: name)
    assert verified(HELIUM) == f"`adaptergen verify` {told}"
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "torch" else name)
    assert verified(HELIUM) == "`torch` is not installed here"


def test_figures_that_were_left_out_are_told_so(
    upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "pr.md"
    command = ["export", new_spec, "--into", upstream, "--dry-run", "--pr", file]
    assert run(*command, "--no-check").code == 0
    measured = file.read_text(encoding="utf-8").partition("### Measured")[2]
    assert measured.startswith("\n\nNothing: it was not run (--no-check).\n")


@pytest.mark.parametrize("told", ["upstream's branch", "none", "upstream has ours"])
def test_the_text_is_the_same_once_it_is_committed(
    told: str, upstream: Path, run: Run, tmp_path: Path
) -> None:
    if told == "none":
        git(upstream, "remote", "remove", "origin")
        git(upstream, "branch", "--quiet", "-D", "dev")
    texts = []
    for name in ("a.md", "b.md"):
        done = run(
            "export", NEMOTRON, "--into", upstream, "--no-check", "--replace", "--branch", "b",
            "--pr", tmp_path / name,
        )  # fmt: skip
        assert done.code == 0, done.err
        texts.append((tmp_path / name).read_text(encoding="utf-8"))
        if told == "upstream has ours":
            git(upstream, "branch", "--quiet", "--force", "dev", "b")
    assert "Replaces the adapter of" in texts[0] and "removed: name _make_optional" in texts[0]
    if told == "upstream has ours":
        assert "removed: " not in texts[1]
    else:
        assert texts[0] == texts[1]


@pytest.mark.parametrize("name", ["a folder", "no folder"])
def test_a_text_that_cannot_be_written_stops_the_export(
    name: str, upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    file = tmp_path if name == "a folder" else tmp_path / "missing" / "pr.md"
    before = content(upstream)
    done = run("export", new_spec, "--into", upstream, "--no-check", "--branch", "x", "--pr", file)
    assert done.code == 2 and content(upstream) == before and "hint: " in done.err
    assert git(upstream, "branch", "--show-current").strip() == "work"


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "pipe"])
@pytest.mark.parametrize("dry", [["--dry-run"], []], ids=["dry", "written"])
def test_what_is_there_is_not_overwritten_with_the_text(
    kind: str, dry: list[str], upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    file, other = tmp_path / "pr.md", tmp_path / "other.md"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "file":
        file.write_text("mine")
    else:
        file.symlink_to(other)
    if kind == "link":
        other.write_text("mine")
    before = content(upstream)
    command = ["export", new_spec, "--into", upstream, "--no-check", "--branch", "x", "--pr", file]
    done = run(*command, *dry)
    assert (done.code, done.out) == (2, "") and content(upstream) == before
    assert f"{file}: this is there already" in done.err
    assert "hint: remove it, or name another file with --pr" in done.err
    assert git(upstream, "branch", "--show-current").strip() == "work"
    assert other.exists() == (kind == "link")
    if kind in ("file", "link"):
        assert file.read_text() == "mine"


@pytest.mark.heavy
def test_upstreams_registries_and_the_unit_test_pass_there(upstream: Path) -> None:
    done = export(upstream, [HELIUM], False, None)
    (unit,) = (path for path in done.made.adapters[0].tests if path.startswith("tests/unit/"))
    # In one process, since to import torch takes longer than both.
    tests = (f"{REGISTRY_TEST}::{REGISTRY_TEST_CLASS}", unit)
    ran = checks._run(upstream, "both", (*checks._pytest(), *tests), ("pytest", "jaxtyping"))
    assert ran.passed, ran.detail
    assert int(ran.detail.split()[0]) >= 4 + unit_tests(upstream / unit), ran.detail


def unit_tests(file: Path) -> int:
    return file.read_text(encoding="utf-8").count("    def test_")


def test_the_formatters_find_nothing(upstream: Path, new_spec: Path, run: Run) -> None:
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    new = git(upstream, "ls-files", "--others", "--exclude-standard", "*.py").split()
    old = git(upstream, "diff", "--name-only", "--", "*.py").split()
    for tool, files in (
        ("black", [*new, *old]),
        ("isort", [f for f in new + old if "__init__" not in f]),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", tool, "--check", *files], cwd=upstream, capture_output=True,
            text=True,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(
        (upstream / "transformer_lens/tools/model_registry/data/supported_models.json").read_text()
    )
