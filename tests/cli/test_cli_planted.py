"""A journal that came with a folder is not settled, and what it names is not written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adaptergen.output.staging import FORMAT
from adaptergen.output.transaction import build
from adaptergen.output.tree import OutputTree, digest

SPEC = "specs/helium.yaml"
HOOK = b"#!/bin/sh\ntouch ran\n"
STAGING = Path(".adaptergen")
COMMANDS = {
    "build": ("build", SPEC, "--out", "."),
    "build --check": ("build", SPEC, "--out", ".", "--check"),
    "export --plugin": ("export", SPEC, "--plugin", "tl-helium"),
}
TARGETS = (
    ".git/hooks/pre-commit", ".GIT/hooks/pre-commit", "sub/.git/config", ".git./hooks/x",
    "GIT~1/hooks/pre-commit", ".adaptergen/0.new", "harmless.txt", "../outside",
)  # fmt: skip


def plant(target: str = "harmless.txt", name: str = "journal.json", **more: object) -> None:
    """A journal and its file, as a repository may have them."""
    STAGING.mkdir(exist_ok=True)
    (STAGING / "0.new").write_bytes(HOOK)
    moves = [{"path": target, "before": None, "after": digest(HOOK)}]
    content = {"format": FORMAT, "seal": "0" * 64, "moves": moves, "folders": [], **more}
    (STAGING / name).write_text(json.dumps(content), encoding="utf-8")


def tree(root: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def repository(project: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], check=True)
    (project / "sub" / ".git").mkdir(parents=True)
    return project


def refused(run: Any, root: Path, *command: str) -> str:
    """The command ends with 2, says what to remove, and leaves all as it was."""
    before = tree(root)
    result = run(*command)
    assert result.code == 2, result
    assert "nothing was recovered" in result.err
    assert f"remove {STAGING}, then run the command again" in result.err.replace(f"{root}/", "")
    assert tree(root) == before
    return str(result.err)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["journal.json", "undo.json"])
def test_a_journal_of_others_is_not_settled(
    repository: Path, run: Any, command: str, name: str
) -> None:
    plant(".git/hooks/pre-commit", name)
    refused(run, repository, *COMMANDS[command])
    # As told: with the folder gone the command does its work.
    shutil.rmtree(STAGING)
    assert run(*COMMANDS[command]).code == int("--check" in command)


@pytest.mark.parametrize("target", TARGETS)
def test_wherever_it_leads(repository: Path, run: Any, target: str) -> None:
    plant(target)
    refused(run, repository, *COMMANDS["build"])


@pytest.mark.parametrize(
    "text", ["[]", "", "[" * 100_000, '{"format": 2}', '{"format": 2, "seal": 7}', "\xff"]
)
def test_what_is_no_journal(repository: Path, run: Any, text: str) -> None:
    plant()
    (STAGING / "journal.json").write_text(text, encoding="latin-1")
    refused(run, repository, *COMMANDS["build"])


def killed(out: Path) -> None:
    """A build that ended before anything was in its place."""
    child = os.fork()
    if child == 0:
        os.replace = lambda source, target: (  # type: ignore[assignment]
            os._exit(9) if str(source).endswith(".new") else os.rename(source, target)
        )
        build(out, [OutputTree("m", "specs/m.yaml", {"x.py": b"x = 1\n"})])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_the_users_own_is_settled_here_and_nowhere_else(
    repository: Path, run: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    killed(repository)
    elsewhere = tmp_path_factory.mktemp("clone")
    shutil.copytree(STAGING, elsewhere / STAGING)
    result = run(*COMMANDS["build"])
    assert result.code == 0 and "an interrupted build was recovered first" in result.err
    assert Path("m/x.py").read_bytes() == b"x = 1\n"
    refused(run, elsewhere, *COMMANDS["build"][:-1], str(elsewhere))


def _linked(name: str) -> Callable[[], None]:
    def act() -> None:
        Path("secret").write_bytes((STAGING / name).read_bytes())
        (STAGING / name).unlink()
        (STAGING / name).symlink_to("../secret")

    return act


HARMED: dict[str, Callable[[], object]] = {
    "linked file": _linked("0.new"),
    "linked journal": _linked("journal.json"),
    "other bytes": lambda: (STAGING / "0.new").write_bytes(HOOK),
    "pipe": lambda: os.mkfifo(STAGING / "7.new"),
    "folder": lambda: (STAGING / "7.new").mkdir(),
    "file of the user": lambda: (STAGING / "notes.txt").touch(),
    "other seal": lambda: (Path(os.environ["XDG_STATE_HOME"]) / "adaptergen/key").write_bytes(
        b"k" * 32
    ),
    "linked destination": lambda: Path("m").symlink_to("specs"),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("harm", HARMED)
def test_the_users_own_that_was_harmed(
    repository: Path, run: Any, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(repository / "state"))
    killed(repository)
    (STAGING / "lock").unlink()
    shutil.rmtree("m", ignore_errors=True)
    HARMED[harm]()
    before = tree(repository)
    result = run(*COMMANDS["build"])
    assert result.code == 2 and "hint: " in result.err and tree(repository) == before
    if harm != "linked destination":
        assert f"remove {STAGING}" in result.err


def test_a_file_of_another_user(repository: Path, run: Any) -> None:
    if not hasattr(os, "geteuid") or os.geteuid():
        pytest.skip("only root can give a file to another user")
    STAGING.mkdir()
    (STAGING / "0.new").write_bytes(b"")
    os.chown(STAGING / "0.new", 65534, 65534)
    assert "another user wrote this" in refused(run, repository, *COMMANDS["build"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_in_place_of_the_lock_is_not_waited_for(repository: Path, run: Any) -> None:
    STAGING.mkdir()
    os.mkfifo(STAGING / "lock")
    assert run(*COMMANDS["build"]).code == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_git_does_not_see_what_a_killed_build_leaves(repository: Path) -> None:
    killed(repository)
    assert (STAGING / "journal.json").exists()
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "specs/helium.yaml" in told and ".adaptergen" not in told


def test_a_manifest_does_not_lead_into_git(repository: Path, run: Any) -> None:
    """What it names and is not wanted any more is removed, if its digest is right."""
    assert run("build", SPEC, "--out", "out").code == 0
    folder = Path("out/helium")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"][".git/HEAD"] = digest((folder / ".git/HEAD").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert run("build", SPEC, "--out", "out").code == 1
    assert run("build", SPEC, "--out", "out", "--force").code == 0
    assert (folder / ".git/HEAD").exists()
