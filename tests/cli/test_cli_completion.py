"""`adaptergen completion`: what a shell offers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WHY = "needs shtab: pip install 'adaptergen[completion]'"

# What a shell does on <TAB>: it calls the function that the script registered.
BASH = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
registered=$(complete -p adaptergen)
function=${registered#*-F }
${function%% *} adaptergen "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def script(run: Any, tmp_path: Path) -> Path:
    pytest.importorskip("shtab", reason=WHY)
    result = run("completion", "bash")
    assert result.code == 0 and result.err == ""
    path = tmp_path / "completion.bash"
    path.write_text(result.out, encoding="utf-8")
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["bu"], {"build"}),
        (
            [""],
            {
                "audit",
                "build",
                "catalog",
                "completion",
                "drift",
                "export",
                "init",
                "inspect",
                "lock",
                "schema",
                "survey",
                "update",
                "verify",
            },
        ),
        (["build", "--c"], {"--check"}),
        (["build", "spe"], {"specs"}),
        (["build", "specs/a.yaml", "specs/b"], {"specs/b.yaml"}),
        (["build", "specs/a.yaml", "--out", "ge"], {"generated"}),
        (["verify", "--tier", "w"], {"width"}),
        (["schema", "sh"], {"shape"}),
        (["completion", "f"], {"fish"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bash_offers(script: Path, tmp_path: Path, words: list[str], offered: set[str]) -> None:
    for name in ("specs/a.yaml", "specs/b.yaml", "generated/a/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    command = ["bash", "--norc", "-c", BASH, "bash", str(script), "adaptergen", *words]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert result.stderr == ""
    found = set(result.stdout.split())
    # Without a word to start from, options are offered too.
    assert {word for word in found if not word.startswith("-")} == offered or found == offered


@pytest.mark.parametrize(
    ("shell", "check"), [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])]
)
def test_every_shell_has_a_script(run: Any, tmp_path: Path, shell: str, check: list[str]) -> None:
    pytest.importorskip("shtab", reason=WHY)
    result = run("completion", shell)
    assert result.code == 0
    for word in ("build", "verify", "check", "tier", "checkpoint"):
        assert word in result.out
    if shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(result.out, encoding="utf-8")
        assert subprocess.run([*check, str(path)], capture_output=True).returncode == 0


def test_without_shtab_it_says_what_to_install(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    result = run("completion", "bash")
    assert (result.code, result.out) == (2, "")
    assert "pip install 'adaptergen[completion]'" in result.err


def test_help_does_not_load_it() -> None:
    program = (
        "import sys; from adaptergen.cli import main; main(['--help'])\n"
        "assert 'shtab' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode == 0
