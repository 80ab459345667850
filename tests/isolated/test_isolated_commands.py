"""No command runs a module that lies in the working folder, or in the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import Result, git
from planted_modules import NAMES, PROJECT, planted, ran

from adaptergen.export import checks

Run = Callable[..., Result]
HERE, NEMOTRON, HELIUM = "../upstream", "../specs/nemotron_h.yaml", "../specs/helium.yaml"
#: The arguments, and the exit code where all is well.
LIGHT = {
    "audit": (["audit", HERE], 1),
    "build": (["build", NEMOTRON], 0),
    "build --check": (["build", NEMOTRON, "--check", "--json", "-"], 1),
    "catalog": (["catalog", "--tl", HERE], 0),
    "drift between": (["drift", NEMOTRON, "--from", "5.13.0", "--to", "5.17.0"], 1),
    "export --dry-run": (["export", HELIUM, "--into", HERE, "--dry-run"], 0),
    "export --plugin": (["export", NEMOTRON, "--plugin", "tl-x"], 0),
    "schema": (["schema"], 0),
}  # fmt: skip
HEAVY = {
    "drift": (["drift", NEMOTRON, HELIUM], 0),
    "inspect": (["inspect", NEMOTRON], 0),
    "lock": (["lock", NEMOTRON, "--check"], 0),
    "update": (["update", NEMOTRON], 0),
    "verify": (["verify", NEMOTRON], 0),
    # Runs the adapter that is there in a Python of its own, and then `verify`.
    "export --pr": (
        [
            *("export", "../specs/deepseek_v3.yaml", "--into", HERE, "--replace"),
            *("--dry-run", "--pr", "pr.md"),
        ],
        0,
    ),
}
ALL = [
    *(pytest.param(*LIGHT[name], id=name) for name in LIGHT),
    *(pytest.param(*HEAVY[name], id=name, marks=[
        pytest.mark.heavy, pytest.mark.long if name.startswith("export") else pytest.mark.slow,
      ]) for name in HEAVY),
]  # fmt: skip


@pytest.fixture
def checkout(upstream: Path, tmp_path: Path) -> Path:
    """A checkout with modules that are committed."""
    # isort takes what lies there for upstream's own, and torch then stands at another place.
    planted(upstream.rename(tmp_path / "upstream"), *(name for name in NAMES if name != "torch"))
    git(tmp_path / "upstream", "add", "--all")
    git(tmp_path / "upstream", "commit", "--quiet", "--message=modules")
    return tmp_path / "upstream"


@pytest.fixture
def working(checkout: Path) -> Path:
    """A folder in a project, beside a checkout; with modules in all three."""
    project = checkout.parent
    shutil.copytree(PROJECT / "specs", project / "specs")
    planted(project, *NAMES)
    return planted(project / "working", *NAMES)


def shell(cwd: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command, cwd=cwd, env={**kept, "HF_HUB_OFFLINE": "1"}, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip


@pytest.mark.parametrize(("arguments", "code"), ALL)
def test_no_command_runs_what_lies_about(arguments: list[str], code: int, working: Path) -> None:
    done = shell(working, Path(sys.executable).with_name("adaptergen"), *arguments)
    assert ran(working, working.parent, working / HERE) == []
    assert done.returncode == code, done.stderr
    if "--pr" in arguments:
        told = (working / "pr.md").read_text("utf-8")
        assert "observed by running it" in done.stderr and "Fine: all as promised" in told


def test_python_m(working: Path) -> None:
    """That Python finds adaptergen first in the working folder, nobody can change."""
    (working / "adaptergen.py").unlink()
    done = shell(working, sys.executable, "-m", "adaptergen", "build", NEMOTRON)
    assert done.returncode == 0 and ran(working) == [], done.stderr


def test_formatters_take_the_files_of_a_checkout_and_not_its_modules(
    checkout: Path, new_spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = {"black", "isort"}
    monkeypatch.setattr(checks, "find_spec", lambda name: name if name in there else None)
    monkeypatch.chdir(checkout)
    done = run("export", new_spec, "--into", ".")
    assert done.code == 0, done.err
    assert "passed: isort" in done.err and "passed: black" in done.err
    assert ran(checkout) == []


def test_types_are_checked_without_the_modules_of_a_checkout(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="needs mypy: pip install 'adaptergen[dev]'")
    planted(tmp_path, *NAMES)
    (tmp_path / "a.py").write_text('x: int = ""\nimport json\n', encoding="utf-8")
    check = checks._types(tmp_path, ["a.py"])
    assert check.passed is False and "Incompatible types" in check.detail and ran(tmp_path) == []
