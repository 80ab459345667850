"""Contributions to a checkout of TransformerLens 4.3.0."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest_export import (
    ADAPTERS,
    BUILDER,
    FACTORY,
    GAPS,
    HELIUM,
    MODELS,
    NEMOTRON,
    PROJECT,
    REGISTRY,
    REPORT,
    Result,
    changed,
    content,
    git,
)

from adaptergen import runtime
from adaptergen.export.contribution import COMPONENTS, CONTRACT

Run = Callable[..., Result]


def test_a_new_architecture_is_entered_everywhere(upstream: Path, new_spec: Path, run: Run) -> None:
    before = content(upstream)
    done = run("export", new_spec, "--into", upstream, "--no-check")
    assert done.code == 0, done.err
    made = changed(upstream, before)
    own = {path for path in made if "heron" in path}
    assert len(own) == 4 and not own & set(before)
    shared = {path for path in made if path.startswith((COMPONENTS, CONTRACT))}
    assert not shared & set(before)
    left = {path: change for path, change in made.items() if path not in own | shared}
    assert {path: new for path, (new, gone) in left.items() if not gone} == {
        f"{ADAPTERS}/__init__.py": [
            f"from {ADAPTERS.replace('/', '.')}.heron import HeronArchitectureAdapter",
            '    "HeronArchitectureAdapter",',
        ],
        FACTORY: [
            "    HeronArchitectureAdapter,",
            '    "HeronForCausalLM": HeronArchitectureAdapter,',
        ],
        REGISTRY: ['    "HeronForCausalLM",', '    "HeronForCausalLM": ["heron-org"],'],
        REPORT: [
            '    "HeronForCausalLM": "Heron: Decoder with latent attention; the first layers are '
            'dense, the others mixtures of experts",'
        ],
        BUILDER: [
            "    # Heron", '    "kv_lora_rank",', '    "heron_width",', '    "qk_nope_head_dim",',
            '    "qk_rope_head_dim",', '    "v_head_dim",',
        ],
        "tests/QUARANTINES.md": made["tests/QUARANTINES.md"][0],
    }  # fmt: skip
    rows = json.loads((upstream / MODELS).read_text(encoding="utf-8"))["models"]
    old_rows = json.loads(before[MODELS])["models"]
    assert rows[: len(old_rows)] == old_rows
    assert [(row["model_id"], row["status"]) for row in rows[len(old_rows) :]] == [
        ("heron-org/Heron", 0), ("heron-org/DeepSeek-R1", 0),
    ]  # fmt: skip
    assert all(row["phase1_score"] is None for row in rows[len(old_rows) :])
    assert all("total_" in line for line in made[MODELS][1])
    (row,) = made["tests/QUARANTINES.md"][0]
    assert row.startswith("| [`integration/model_bridge/test_heron_adapter.py`:")


def test_lists_are_counted_anew(upstream: Path, run: Run) -> None:
    before = {path: json.loads((upstream / path).read_bytes()) for path in (MODELS, GAPS)}
    assert any(gap["architecture_id"] == "HeliumForCausalLM" for gap in before[GAPS]["gaps"])
    assert run("export", HELIUM, "--into", upstream, "--no-check").code == 0
    models, gaps = (json.loads((upstream / path).read_bytes()) for path in (MODELS, GAPS))
    assert models["total_models"] == len(models["models"]) == len(before[MODELS]["models"]) + 1
    architectures = {model["architecture_id"] for model in models["models"]}
    assert models["total_architectures"] == len(architectures)
    assert {**models, "models": 0} == {
        **before[MODELS], "models": 0, "total_models": models["total_models"],
        "total_architectures": models["total_architectures"],
    }  # fmt: skip
    assert gaps["gaps"] == [
        gap for gap in before[GAPS]["gaps"] if gap["architecture_id"] != "HeliumForCausalLM"
    ]
    assert gaps["total_unsupported_architectures"] == len(gaps["gaps"])
    assert gaps["total_unsupported_models"] == sum(gap["total_models"] for gap in gaps["gaps"])


def test_entries_are_in_order_where_the_others_are(
    upstream: Path, new_spec: Path, run: Run
) -> None:
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0

    def around(path: str, text: str) -> list[str]:
        lines = (upstream / path).read_text(encoding="utf-8").split("\n")
        at = next(number for number, line in enumerate(lines) if line.startswith(text))
        return [lines[at - 1].strip(), lines[at + 1].strip()]

    assert around(FACTORY, "    HeronArchitectureAdapter,") == [
        "GraniteMoeHybridArchitectureAdapter,", "HrmTextArchitectureAdapter,",
    ]  # fmt: skip
    module = ADAPTERS.replace("/", ".")
    assert around(f"{ADAPTERS}/__init__.py", f"from {module}.heron")[1].startswith(
        f"from {module}.hrm_text"
    )
    # Among the supported ones, where Bart, M2M100 and Marian follow each other.
    assert around(REPORT, '    "HeronForCausalLM"')[0].startswith('"BartForConditional')
    assert around(BUILDER, "    # Heron")[0] == '"hidden_act",'


def test_a_second_export_changes_nothing(upstream: Path, new_spec: Path, run: Run) -> None:
    assert (
        run("export", new_spec, "--into", upstream, "--no-check", "--branch", "add-heron").code == 0
    )
    after, head = content(upstream), git(upstream, "rev-parse", "HEAD")
    assert git(upstream, "status", "--porcelain") == ""
    for extra in ([], ["--branch", "add-heron"]):
        done = run("export", new_spec, "--into", upstream, "--no-check", *extra)
        assert (done.code, done.err.splitlines()[-1]) == (0, "Fine: nothing to change.")
        assert content(upstream) == after and git(upstream, "rev-parse", "HEAD") == head


def test_a_second_export_of_what_was_not_committed(
    upstream: Path, new_spec: Path, run: Run
) -> None:
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    after = content(upstream)
    done = run("export", new_spec, "--into", upstream, "--no-check")
    assert (done.code, done.err.splitlines()[-1]) == (0, "Fine: nothing to change.")
    assert content(upstream) == after
    file = upstream / FACTORY
    file.write_bytes(after[FACTORY] + b"# more\n")
    done = run("export", new_spec, "--into", upstream, "--no-check")
    assert done.code == 2 and "error[dirty-tree]" in done.err and FACTORY in done.err
    assert content(upstream) == {**after, FACTORY: after[FACTORY] + b"# more\n"}


def test_the_dry_run_is_the_export(
    upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    before = content(upstream)
    for spec, extra in ((new_spec, []), (NEMOTRON, ["--replace"])):
        shown = run("export", spec, "--into", upstream, "--no-check", "--dry-run", *extra)
        assert shown.code == 0 and content(upstream) == before
        twin = tmp_path / f"twin-{spec.stem}"
        shutil.copytree(upstream, twin)
        patch = tmp_path / "export.diff"
        patch.write_text(shown.out, encoding="utf-8", newline="")
        git(twin, "apply", "--whitespace=nowarn", str(patch))
        assert run("export", spec, "--into", upstream, "--no-check", *extra).code == 0
        assert content(twin) == content(upstream) != before
        git(upstream, "reset", "--quiet", "--hard")
        git(upstream, "clean", "--quiet", "-fd")


def test_line_ends_of_windows_stay(upstream: Path, new_spec: Path, run: Run) -> None:
    for path in (FACTORY, REGISTRY, MODELS, "tests/QUARANTINES.md"):
        data = (upstream / path).read_bytes()
        (upstream / path).unlink()
        (upstream / path).write_bytes(data.replace(b"\n", b"\r\n"))
    git(upstream, "commit", "--quiet", "--all", "--message=as on Windows")
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    for path in (FACTORY, REGISTRY, MODELS, "tests/QUARANTINES.md"):
        data = (upstream / path).read_bytes()
        assert data.count(b"\r\n") == data.count(b"\n")
    assert git(upstream, "diff", "--shortstat", "--", FACTORY).split(",")[1:] == [
        " 2 insertions(+)\n"
    ]


def test_a_folder_without_git_is_taken(upstream: Path, new_spec: Path, run: Run) -> None:
    shutil.rmtree(upstream / ".git")
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    after = content(upstream)
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    assert content(upstream) == after


#: The commits before the adapter's, the last one first.
SHARED = [
    "Add the contract that the tests of declared adapters check",
    "Add the components that declared adapters share",
]
KILLED = """\
import os, signal, sys
from adaptergen.cli import main
left, replace = int(sys.argv.pop(1)), os.replace
def killed(source, target):
    global left
    left -= ".adaptergen" in str(source)
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = killed
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("steps", [0, 5])
def test_an_interrupted_export_is_finished_or_dropped(
    steps: int, upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:

    before = content(upstream)
    arguments = [
        "export",
        str(new_spec),
        "--into",
        str(upstream),
        "--branch",
        "add-heron",
        "--no-check",
    ]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(steps), *arguments],
        env={**os.environ, "PYTHONPATH": str(PROJECT)}, capture_output=True,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert run(*arguments[:4], "--dry-run").code == 2
    done = run(*arguments)
    assert done.code == 0 and "an interrupted export was recovered first" in done.err
    assert git(upstream, "status", "--porcelain") == ""
    after = content(upstream)
    assert not [path for path in after if ".adaptergen" in path]
    changed = [path for path in after if after[path] != before.get(path)]
    assert len([path for path in changed if not path.startswith((COMPONENTS, CONTRACT))]) == 11
    assert git(upstream, "log", "--format=%s", "dev..").splitlines() == [
        "Add the adapter of Heron", *SHARED,
    ]  # fmt: skip


def test_a_write_that_fails_leaves_branch_and_files(
    upstream: Path, new_spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace, calls = content(upstream), os.replace, []

    def failing(source: Path, target: Path) -> None:
        calls.extend([target] if ".adaptergen" in str(source) else [])
        if len(calls) == 4:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    done = run("export", new_spec, "--into", upstream, "--no-check", "--branch", "add-heron")
    assert done.code == 2 and "the disk is full" in done.err
    assert content(upstream) == before
    assert "add-heron" not in git(upstream, "branch", "--list")
    assert git(upstream, "branch", "--show-current").strip() == "work"


def test_a_commit_that_fails_leaves_what_was_written(
    upstream: Path, new_spec: Path, run: Run
) -> None:
    hook = upstream / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho the hook says no >&2\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    command = ["export", new_spec, "--into", upstream, "--no-check", "--branch", "add-heron"]
    done = run(*command)
    count = len(git(upstream, "status", "--porcelain", "-uall").splitlines())
    assert done.code == 1 and f"Changed {count} files." in done.err and count > 11
    assert "FAILED: the commit (`git commit` says: the hook says no)" in done.err
    assert "written, on the branch add-heron; only the commit is missing" in done.err
    assert git(upstream, "branch", "--show-current").strip() == "add-heron"
    hook.unlink()
    done = run(*command)
    assert done.code == 0 and "Committed on the branch add-heron." in done.err
    assert git(upstream, "status", "--porcelain") == ""


@pytest.mark.parametrize("branch", ["work", "add-heron"])
def test_without_an_identity_nothing_is_written(
    branch: str, upstream: Path, new_spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.delenv(name)
    git(upstream, "config", "user.useConfigOnly", "true")
    before = content(upstream)
    for dry in ([], ["--dry-run"]):
        done = run("export", new_spec, "--into", upstream, "--no-check", "--branch", branch, *dry)
        assert (done.code, done.out) == (2, "") and content(upstream) == before
        assert "error[git-failed]" in done.err
    assert git(upstream, "branch", "--show-current").strip() == "work"


def test_what_adapters_share_is_committed_before_them_and_once(
    upstream: Path, new_spec: Path, run: Run
) -> None:
    command = ["export", "--into", upstream, "--no-check", "--branch", "adapters"]
    assert run(*command, HELIUM).code == 0
    files = [
        set(git(upstream, "show", "--format=", "--name-only", commit).split())
        for commit in git(upstream, "log", "--format=%H", "dev..").split()
    ]
    contract, components = files[1:]
    assert components == {f"{COMPONENTS}/{name}.py" for name in runtime.sources()}
    assert contract == set(runtime.contract(CONTRACT))
    assert f"{ADAPTERS}/helium.py" in files[0] and not files[0] & (contract | components)
    # A second adapter finds them there.
    done = run(*command, new_spec)
    assert done.code == 0 and COMPONENTS not in done.err and CONTRACT not in done.err
    assert git(upstream, "log", "--format=%s", "dev..").splitlines() == [
        "Add the adapter of Heron", "Add the adapter of Helium", *SHARED,
    ]  # fmt: skip


def rewritten(upstream: Path, version: int) -> str:
    """A shared file of this version with other content, committed; its path."""
    path = f"{COMPONENTS}/taps.py"
    text = (upstream / path).read_text(encoding="utf-8")
    header = f"version {runtime.version()}."
    assert text.partition("\n")[0].endswith(header)
    changed = text.replace(header, f"version {version}.", 1) + "EDITED = True\n"
    (upstream / path).write_text(changed, encoding="utf-8")
    git(upstream, "commit", "--quiet", "--all", "--message=other")
    return path


@pytest.mark.parametrize("away", [-1, 0, 1], ids=["older", "edited", "newer"])
def test_what_adapters_share_is_never_made_older(
    away: int, upstream: Path, new_spec: Path, run: Run
) -> None:
    command = ["export", "--into", upstream, "--no-check", "--branch", "adapters"]
    assert run(*command, HELIUM).code == 0
    before = content(upstream)
    path = rewritten(upstream, runtime.version() + away)
    other = (upstream / path).read_bytes()
    done = run(*command, new_spec)
    assert done.code == 0, done.err
    subjects = git(upstream, "log", "--format=%s", "-2").splitlines()
    if away > 0:
        assert (upstream / path).read_bytes() == other and subjects[1] == "other"
        assert f"note: the checkout has version {runtime.version() + 1} of what" in done.err
    else:
        assert (upstream / path).read_bytes() == before[path]
        assert subjects[1] == "Update the components that declared adapters share"
        assert (f"note: {path} is not as adaptergen has it" in done.err) == (away == 0)


@pytest.mark.parametrize("path", [f"{COMPONENTS}/taps.py", f"{CONTRACT}/__init__.py"])
def test_a_file_of_upstream_by_that_name_is_not_overwritten(
    path: str, upstream: Path, run: Run
) -> None:
    (upstream / path).parent.mkdir(exist_ok=True)
    (upstream / path).write_text('"""Of TransformerLens."""\n', encoding="utf-8")
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--message=theirs")
    before = content(upstream)
    for dry in ([], ["--dry-run"]):
        done = run("export", HELIUM, "--into", upstream, "--no-check", *dry)
        assert (done.code, done.out) == (2, "") and content(upstream) == before
        assert f"{path}:1:1: error[shared-taken]: TransformerLens has another file" in done.err
        assert "hint: update adaptergen, or make a package" in done.err
