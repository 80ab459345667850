"""What an export refuses: with a code, file and line, and nothing written anywhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import (
    ADAPTERS,
    BUILDER,
    FACTORY,
    MODELS,
    NEMOTRON,
    REGISTRY,
    REPORT,
    Result,
    content,
    git,
)

from adaptergen.error_codes import error_codes
from adaptergen.output.staging import FORMAT
from adaptergen.output.tree import digest

Run = Callable[..., Result]


def swap(root: Path, path: str, old: str, new: str) -> None:
    """Change a file of a clone, which may share it with others, and commit."""
    data = (root / path).read_text(encoding="utf-8")
    assert data.count(old) == 1, f"{old!r} is not in {path} just once"
    (root / path).write_text(data.replace(old, new), encoding="utf-8", newline="")
    git(root, "commit", "--quiet", "--all", "--message=change")


OTHER = "OptArchitectureAdapter"
EDITED = {
    "entry-differs": (FACTORY, "SUPPORTED_ARCHITECTURES = {\n",
                      f"SUPPORTED_ARCHITECTURES = {{\n    'HeronForCausalLM': {OTHER},\n"),
    "entry-twice": (REGISTRY, "HF_SUPPORTED_ARCHITECTURES: set[str] = {\n",
                    "HF_SUPPORTED_ARCHITECTURES: set[str] = {\n" + '    "HeronForCausalLM",\n' * 2),
    "container-missing": (REPORT, "ARCHITECTURE_DESCRIPTIONS: dict[str, str] = {",
                          "DESCRIPTIONS: dict[str, str] = {"),
    "container-twice": (BUILDER, "_HF_PASSTHROUGH_ATTRS = [\n",
                        "_HF_PASSTHROUGH_ATTRS = []\n_HF_PASSTHROUGH_ATTRS = [\n"),
    "conflict-markers": (REGISTRY, '"""Model Registry tools for TransformerLens.\n',
                         '"""Model Registry tools for TransformerLens.\n<<<<<<< HEAD\n'),
    "mixed-line-ends": (REGISTRY, '"""Model Registry tools for TransformerLens.\n',
                        '"""Model Registry tools for TransformerLens.\r\n'),
    "unreadable-source": (MODELS, '{\n  "generated_at"', '{{\n  "generated_at"'),
}  # fmt: skip


@pytest.mark.parametrize("code", EDITED)
def test_a_file_that_cannot_be_edited_stops_everything(
    code: str, upstream: Path, new_spec: Path, run: Run
) -> None:
    path, old, new = EDITED[code]
    swap(upstream, path, old, new)
    before, branches = content(upstream), git(upstream, "branch", "--list")
    done = run("export", new_spec, "--into", upstream, "--no-check", "--branch", "add-heron")
    if code == "entry-differs":
        # Who is registered under another class is an adapter that would be replaced.
        assert "error[adapter-exists]" in done.err
        done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--branch", "x")
    assert done.code == 2 and content(upstream) == before
    assert git(upstream, "branch", "--list") == branches
    if code != "entry-differs":
        assert f"{path}:" in done.err and f"error[{code}]" in done.err


def refused_state(name: str, upstream: Path, tmp_path: Path) -> list[str]:
    """Bring a clone into a state that is refused; more arguments of the command."""
    if name == "dirty-tree":
        (upstream / "new.txt").write_text("x", encoding="utf-8")
    elif name == "detached-head":
        git(upstream, "switch", "--quiet", "--detach")
    elif name == "protected-branch":
        git(upstream, "switch", "--quiet", "dev")
    elif name == "named dev":
        return ["--branch", "dev"]
    elif name == "named main":
        return ["--branch", "main"]
    elif name == "branch-exists":
        git(upstream, "branch", "other")
        return ["--branch", "other"]
    elif name in ("git-failed", "no name", "another's name"):
        git(upstream, "switch", "--quiet", "dev")
        return ["--branch", {"no name": "", "another's name": "@{-1}"}.get(name, "a..b")]
    elif name == "no repository":
        shutil.rmtree(upstream / ".git")
        return ["--branch", "work"]
    elif name == "not-transformer-lens":
        shutil.rmtree(upstream / "transformer_lens")
    elif name == "a package":
        (upstream / "pyproject.toml").unlink()
    return []


REFUSED = {
    "dirty-tree": "", "detached-head": "", "protected-branch": "", "branch-exists": "",
    "git-failed": "", "not-transformer-lens": "", "named dev": "protected-branch",
    "named main": "protected-branch", "no repository": "git-failed",
    "a package": "not-transformer-lens", "no name": "git-failed", "another's name": "git-failed",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkout_in_a_state_that_is_refused(
    name: str, upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    extra = refused_state(name, upstream, tmp_path)
    before = content(upstream)
    for dry in ([], ["--dry-run"]):
        done = run("export", new_spec, "--into", upstream, "--no-check", *extra, *dry)
        assert (done.code, done.out) == (2, "") and content(upstream) == before
        assert f"error[{REFUSED[name] or name}]" in done.err and "hint: " in done.err


MARKS = {
    "assume-unchanged": "git update-index --no-assume-unchanged",
    "skip-worktree": "git update-index --no-skip-worktree",
    "ignored": "move the file away",
}


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("branch", [["--branch", "x"], []], ids=["branch", "no branch"])
def test_what_git_overlooks_is_neither_committed_nor_lost(
    mark: str, branch: list[str], upstream: Path, new_spec: Path, run: Run
) -> None:
    path, extra = FACTORY, ["--no-check", *branch]
    if mark == "ignored":
        path = f"{ADAPTERS}/heron.py"
        (upstream / ".git/info/exclude").write_text("heron.py\n", encoding="utf-8")
        (upstream / path).write_text("mine = 1\n", encoding="utf-8")
        extra.append("--replace")
    else:
        git(upstream, "update-index", f"--{mark}", path)
        with (upstream / path).open("a", encoding="utf-8") as file:
            file.write("# mine\n")
    before, head = content(upstream), git(upstream, "rev-parse", "HEAD")
    for dry in ([], ["--dry-run"]):
        done = run("export", new_spec, "--into", upstream, *extra, *dry)
        assert (done.code, done.out) == (2, "") and content(upstream) == before
        assert f"{path}:1:1: error[dirty-tree]: git is told to overlook" in done.err
        assert MARKS[mark] in done.err
    assert git(upstream, "rev-parse", "HEAD") == head
    assert git(upstream, "branch", "--list", "x") == ""


@pytest.mark.parametrize("command", ["export", "export --dry-run", "audit --fix"])
def test_a_journal_that_came_with_the_checkout_is_not_settled(
    command: str, upstream: Path, new_spec: Path, run: Run
) -> None:
    hook, staging = b"#!/bin/sh\ntouch ran\n", upstream / ".adaptergen"
    staging.mkdir()
    (staging / "0.new").write_bytes(hook)
    move = {"path": ".git/hooks/pre-commit", "before": None, "after": digest(hook)}
    made = {"format": FORMAT, "seal": "", "moves": [move], "folders": []}
    (staging / "journal.json").write_text(json.dumps(made), encoding="utf-8")
    if command == "audit --fix":
        # Something to mend.
        start = "HF_SUPPORTED_ARCHITECTURES: set[str] = {\n"
        swap(upstream, REGISTRY, start, start + '    "LlamaForCausalLM",\n')
    git(upstream, "add", "--all", "--force")
    git(upstream, "commit", "--quiet", "--message=planted")
    before = content(upstream)
    done = run(*{
        "export": ("export", new_spec, "--into", upstream, "--no-check", "--branch", "x"),
        "export --dry-run": ("export", new_spec, "--into", upstream, "--dry-run"),
        "audit --fix": ("audit", upstream, "--fix"),
    }[command])  # fmt: skip
    assert (
        done.code == 2 and "nothing was recovered" in done.err and f"remove {staging}" in done.err
    )
    assert content(upstream) == before
    assert not (upstream / ".git/hooks/pre-commit").exists()


def test_every_code_of_a_checkout_is_tried() -> None:
    assert set(error_codes("Checkouts of TransformerLens")) == {
        *EDITED, *(code or name for name, code in REFUSED.items()), "adapter-exists",
        "adapter-in-use", "shared-taken",
    }  # fmt: skip


def test_options_of_the_other_target_are_refused(
    upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    before, package = content(upstream), tmp_path / "tl-heron"
    for extra in (
        ["--dry-run"], ["--branch", "x"], ["--branch", ""], ["--replace"], ["--no-check"],
        ["--pr", tmp_path / "pr.md"],
    ):  # fmt: skip
        done = run("export", new_spec, "--plugin", package, *extra)
        assert done.code == 2 and not package.exists() and not (tmp_path / "pr.md").exists()
        assert f"{extra[0]} goes with --into, not with --plugin\n  hint: " in done.err
    done = run("export", new_spec, "--into", upstream, "--no-check", "--force")
    assert done.code == 2 and content(upstream) == before
    assert "--force goes with --plugin, not with --into\n  hint: " in done.err


USER = "from transformer_lens.model_bridge.supported_architectures.nemotron_h import x\n"
OLD_FILES = {
    "in an adapter": ("conflict-markers", f"{ADAPTERS}/nemotron_h.py", "<<<<<<< HEAD\n"),
    "in its docstring": (
        "conflict-markers", f"{ADAPTERS}/nemotron_h.py", '"""A\n<<<<<<< HEAD\n"""\n',
    ),
    "no Python": ("unreadable-source", f"{ADAPTERS}/nemotron_h.py", "def (:\n"),
    "in a test of it": (
        "conflict-markers", "tests/integration/model_bridge/test_nemotron_h_tiny.py",
        '"""A\n<<<<<<< HEAD\n"""\n',
    ),
    "in the test of the registries": (
        "conflict-markers", "tests/unit/tools/test_model_registry.py", "<<<<<<< HEAD\n",
    ),
    "in who uses it": ("unreadable-source", "tests/unit/tools/test_x.py", f"{USER}def (:\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD_FILES)
def test_an_old_file_that_cannot_be_read_is_not_replaced(
    name: str, upstream: Path, run: Run
) -> None:
    code, path, text = OLD_FILES[name]
    file = upstream / path
    data = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(text + data, encoding="utf-8", newline="")
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message=change")
    before = content(upstream)
    done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--replace")
    assert done.code == 2 and content(upstream) == before
    line = (
        text.count("\n") if code == "unreadable-source" else text[: text.index("<")].count("\n") + 1
    )
    assert f"{path}:{line}:" in done.err and f"error[{code}]" in done.err


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_of_the_checkout_is_not_read(
    kind: str, upstream: Path, run: Run, tmp_path: Path
) -> None:
    file = upstream / "tests/unit/tools/test_x.py"
    if kind == "pipe":
        os.mkfifo(file)
        told = "this is a pipe, not a file"
    else:
        (tmp_path / "secret.py").write_text(f"{USER}password = hunter2 (\n", encoding="utf-8")
        file.symlink_to(tmp_path / "secret.py")
        told = "a link leads out of the project here"
        git(upstream, "add", "--all")
        git(upstream, "commit", "--quiet", "--message=planted")
    before = content(upstream)
    done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--replace")
    assert done.code == 2 and content(upstream) == before
    assert f"{file}: {told}" in done.err and "hint: " in done.err and "hunter2" not in done.err
