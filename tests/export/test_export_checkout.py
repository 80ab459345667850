"""Contributions to a checkout of TransformerLens 4.3.0: a replacement, and a new architecture."""

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
from conftest_export import GAPS, HELIUM, MODELS, NEMOTRON, PROJECT, Result, content, git

from adaptergen.output import fs
from adaptergen.problems.checkout_codes import CHECKOUT_CODES

Run = Callable[..., Result]
ADAPTERS = "transformer_lens/model_bridge/supported_architectures"
FACTORY = "transformer_lens/factories/architecture_adapter_factory.py"
REGISTRY = "transformer_lens/tools/model_registry/__init__.py"
REPORT = "transformer_lens/tools/model_registry/generate_report.py"
BUILDER = "transformer_lens/model_bridge/sources/_bridge_builder.py"


def changed(root: Path, before: dict[str, bytes]) -> dict[str, tuple[list[str], list[str]]]:
    """The files that differ: lines that are new, and lines that are gone."""
    made = {}
    for path, data in content(root).items():
        old = before.get(path, b"").decode().split("\n")
        new = data.decode().split("\n")
        if old != new:
            made[path] = ([line for line in new if line not in old],
                          [line for line in old if line not in new])  # fmt: skip
    return made


def test_a_new_architecture_is_entered_everywhere(upstream: Path, new_spec: Path, run: Run) -> None:
    before = content(upstream)
    done = run("export", new_spec, "--into", upstream, "--no-check")
    assert done.code == 0, done.err
    made = changed(upstream, before)
    own = {path for path in made if "heron" in path}
    assert len(own) == 4 and not own & set(before)
    assert {path: new for path, (new, gone) in made.items() if path not in own and not gone} == {
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
            '    "HeronForCausalLM": "Heron: A decoder with latent attention; the first layers are '
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


def test_a_replacement_tells_all_that_goes(upstream: Path, run: Run) -> None:
    before = content(upstream)
    refused = run("export", NEMOTRON, "--into", upstream, "--no-check")
    assert refused.code == 2 and "error[adapter-exists]" in refused.err
    assert "--replace" in refused.err and content(upstream) == before
    done = run("export", NEMOTRON, "--into", upstream, "--no-check", "--replace")
    assert done.code == 0
    told = [line for line in done.err.splitlines() if line.startswith("goes: ")]
    assert all(" -> " in line for line in told)
    others = "full_attention layers, moe layers, mlp layers"
    for line in (
        f"goes: hook on {others} `mixer.hook_out` -> `hook_mixer_out`",
        "goes: config attribute conv_dim = conv_dim -> that of the wrapped model",
        "goes: config attribute gated_mlp = False -> its default, False",
        "goes: member applicable_phases -> what the base class has",
        "goes: name _make_optional -> nothing",
    ):
        assert line in told
    old = before["tests/integration/model_bridge/test_nemotron_h_tiny.py"].decode()
    tests = [line.split("(")[0].split()[1] for line in old.splitlines() if " def test_" in line]
    assert tests and all(any(f"::{name} " in line for line in told) for name in tests)
    # What was there already is not there twice, and the rows that have scores are as they were.
    made = changed(upstream, before)
    assert FACTORY not in made and REGISTRY not in made
    assert made[REPORT][1] == [] and len(made[REPORT][0]) == 1


def test_what_others_build_on_is_not_replaced(upstream: Path, run: Run) -> None:
    before = content(upstream)
    done = run(
        "export",
        PROJECT / "specs" / "deepseek_v2.yaml",
        "--into",
        upstream,
        "--no-check",
        "--replace",
    )
    assert done.code == 2 and content(upstream) == before
    for user in ("glm4_moe_lite", "youtu"):
        assert f"{ADAPTERS}/{user}.py:" in done.err
    assert "error[adapter-in-use]" in done.err


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
    elif name == "git-failed":
        return ["--branch", "a..b"]
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
    "a package": "not-transformer-lens",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkout_in_a_state_that_is_refused(
    name: str, upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    extra = refused_state(name, upstream, tmp_path)
    before = content(upstream)
    done = run("export", new_spec, "--into", upstream, "--no-check", *extra)
    assert done.code == 2 and content(upstream) == before
    assert f"error[{REFUSED[name] or name}]" in done.err and "hint: " in done.err


def test_every_code_of_a_checkout_is_tried() -> None:
    assert set(CHECKOUT_CODES) == {
        *EDITED, *(code or name for name, code in REFUSED.items()), "adapter-exists",
        "adapter-in-use",
    }  # fmt: skip


def test_a_folder_without_git_is_taken(upstream: Path, new_spec: Path, run: Run) -> None:
    shutil.rmtree(upstream / ".git")
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    after = content(upstream)
    assert run("export", new_spec, "--into", upstream, "--no-check").code == 0
    assert content(upstream) == after


KILLED = """\
import os, signal, sys
from adaptergen.cli import main
from adaptergen.output import fs
left, replace = int(sys.argv.pop(1)), fs.replace
def killed(source, target):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
fs.replace = killed
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("steps", [0, 5])
def test_an_interrupted_export_is_finished_or_dropped(
    steps: int, upstream: Path, new_spec: Path, run: Run, tmp_path: Path
) -> None:
    assert fs.replace
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
    assert done.code == 0 and "an interrupted export was settled first" in done.err
    assert git(upstream, "status", "--porcelain") == ""
    after = content(upstream)
    assert not [path for path in after if ".adaptergen" in path]
    assert len([path for path in after if after[path] != before.get(path)]) == 11
    assert git(upstream, "log", "--format=%s", "dev..").splitlines() == ["Add the adapter of Heron"]


def test_a_write_that_fails_leaves_branch_and_files(
    upstream: Path, new_spec: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace, calls = content(upstream), fs.replace, []

    def failing(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 4:
            raise OSError(28, "No space left on device", str(target))
        replace(source, target)

    monkeypatch.setattr(fs, "replace", failing)
    done = run("export", new_spec, "--into", upstream, "--no-check", "--branch", "add-heron")
    assert done.code == 2 and "the disk is full" in done.err
    assert content(upstream) == before
    assert "add-heron" not in git(upstream, "branch", "--list")
    assert git(upstream, "branch", "--show-current").strip() == "work"
