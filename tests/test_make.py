"""Which Pythons the two commands take, and what others are told before anything is done."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="needs make")


def listed(name: str) -> list[str]:
    """The Pythons of a variable of the Makefile, the oldest first."""
    (told,) = re.findall(rf"^{name} := (.*)$", MAKEFILE, re.MULTILINE)
    return sorted(re.findall(r"3\.\d+", told), key=lambda version: int(version[2:]))


def test_every_page_names_the_same_pythons() -> None:
    heavy, light = listed("PYTHONS"), [*listed("LIGHT"), *listed("PYTHONS")]
    sentence = f"{', '.join(heavy[:-1])} or {heavy[-1]}"
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {sentence}" in (ROOT / page).read_text(encoding="utf-8"), page
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project) == light
    assert f'requires-python = ">={light[0]}"' in project
    assert f"# Needs Python {heavy[0]}," in project


def fake(folder: Path, name: str, version: tuple[int, int] | None) -> None:
    """A Python that says that it is another, and can do no more than say so; or none at all."""
    program = f"import sys; sys.version_info = (*{version}, 0); exec(sys.argv[1])"
    body = f'[ "$1" = -c ] && exec {sys.executable} -I -c "{program}" "$2"' if version else "exit 1"
    (folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the rule of the Makefile reads, and one where Pythons are."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "bin").mkdir()
    for version in listed("PYTHONS"):
        fake(tmp_path / "bin", f"python{version}", None)
    return tmp_path


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(clone / "bin"), os.environ["PATH"]])
    kept = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        [str(MAKE), *arguments], cwd=clone, env={**kept, "PATH": path}, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip


@needs_make
@pytest.mark.parametrize("command", ["demo", "test"])
@pytest.mark.parametrize("version", [(3, 10), (2, 7), None], ids=str)
def test_a_python_that_cannot_work_is_refused(
    version: tuple[int, int] | None, command: str, clone: Path
) -> None:
    fake(clone / "bin", "other", version)
    before = sorted(clone.rglob("*"))
    none = make(clone, "PYTHON=other", command)
    assert none.returncode == 2 and not none.stdout
    pythons = listed("PYTHONS")[::-1]
    assert f"other is none of the Pythons that this works with: {' '.join(pythons)}." in none.stderr
    assert f"Install one: make PYTHON=python{pythons[0]} {command}\n" in none.stderr
    fake(clone / "bin", "python3.12", (3, 12))
    one = make(clone, "PYTHON=other", command)
    assert one.returncode == 2
    assert f"There is one here: make PYTHON=python3.12 {command}\n" in one.stderr
    assert sorted({*clone.rglob("*")} - {*before}) == []


@needs_make
def test_an_environment_of_another_python_is_refused(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    fake(clone / ".venv" / "bin", "python", (3, 10))
    fake(clone / "bin", "python3.13", (3, 13))
    done = make(clone, "PYTHON=python3.13", "demo")
    assert done.returncode == 2 and ".venv/bin/python is none" in done.stderr
    assert "Run make clean first." in done.stderr and "PYTHON=python3.13 demo" in done.stderr


@needs_make
@pytest.mark.parametrize("version", [*listed("PYTHONS"), "3.99"])
def test_one_that_works_is_taken(version: str, clone: Path) -> None:
    """As far as the environment, which this one cannot make."""
    fake(clone / "bin", "one", (3, int(version[2:])))
    done = make(clone, "PYTHON=one", "demo")
    assert "== Making .venv with one" in done.stdout and "none of" not in done.stderr
    assert ("== Newer than what this is measured on" in done.stdout) is (version == "3.99")
