"""The pre-commit hook and the recipes of docs/ci.md, each in a scratch repository."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from adaptergen.cli.entry import make_parser

ROOT = Path(__file__).parents[1]
SPEC = "specs/nemotron_h.yaml"
LOCK = "specs/nemotron_h.lock.json"
PAGE = ROOT / "docs" / "ci.md"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
ADAPTER = "generated/nemotron_h/transformer_lens/model_bridge/supported_architectures/nemotron_h.py"

Done = subprocess.CompletedProcess[str]

needs_shell = pytest.mark.skipif(shutil.which("sh") is None, reason="needs a POSIX shell")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
needs_pre_commit = pytest.mark.skipif(
    find_spec("pre_commit") is None, reason="needs pre-commit: pip install 'adaptergen[dev]'"
)


def load(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def blocks() -> list[Any]:
    """The YAML of the page, in its order."""
    return [load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.S)]


def environment(**more: str) -> dict[str, str]:
    """Commands of this environment first, and nothing that git or pytest told this process."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PYTEST_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    author = {f"GIT_{who}_{what}": "x@y.z" for who in ("AUTHOR", "COMMITTER")
              for what in ("NAME", "EMAIL")}  # fmt: skip
    return {**kept, "PATH": path, "GIT_CONFIG_GLOBAL": os.devnull, **author, **more}


def sh(folder: Path, command: str, timeout: int = 120, **more: str) -> Done:
    """One line as GitHub Actions runs it."""
    return subprocess.run(
        ["sh", "-e", "-c", command],
        cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def good(done: Done) -> Done:
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A repository with one spec and what it builds."""
    folder = tmp_path / "scratch"
    (folder / "specs").mkdir(parents=True)
    shutil.copy(ROOT / SPEC, folder / SPEC)
    good(sh(folder, f"adaptergen build {SPEC} && git init -q . && git add . && git commit -qm 1"))
    return folder


def edit(folder: Path) -> None:
    """What makes the repository stale: a change of the spec without a build."""
    path = folder / SPEC
    text = path.read_text("utf-8")
    assert "title: Nemotron-H" in text
    path.write_text(text.replace("title: Nemotron-H", "title: Nemotron-Hybrid"), encoding="utf-8")


def hook() -> dict[str, Any]:
    (one,) = load(HOOKS.read_text("utf-8"))
    return dict(one)


def test_the_page_names_the_hook_that_there_is() -> None:
    (use,) = blocks()[0]["repos"]
    assert [one["id"] for one in use["hooks"]] == [hook()["id"]] == ["adaptergen-check"]


@needs_shell
@needs_git
def test_the_entry_of_the_hook(scratch: Path) -> None:
    # As pre-commit does it: split like a shell line, then the arguments, no file names.
    assert hook()["pass_filenames"] is False
    entry = shlex.join(shlex.split(hook()["entry"]))
    assert "Fine: " in good(sh(scratch, entry)).stderr
    good(sh(scratch, f"mv generated adapters && {entry} --out adapters"))
    edit(scratch)
    stale = sh(scratch, f"{entry} --out adapters")
    assert stale.returncode == 1 and "adaptergen build specs/nemotron_h.yaml" in stale.stderr


def test_the_hook_looks_at_specs_shapes_and_generated_files() -> None:
    pattern = re.compile(hook()["files"])
    for path in (SPEC, "specs/shapes/moe.yaml", ADAPTER):
        assert pattern.search(path)
    assert not pattern.search("docs/specs/x.yaml")


def pre_commit(folder: Path, repo: dict[str, Any], home: Path) -> Done:
    """Commit everything with that hook."""
    with (folder / ".pre-commit-config.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"repos": [repo]}, file)
    command = "python -m pre_commit install && git add . && git commit -m 2"
    return sh(folder, command, 400, PRE_COMMIT_HOME=str(home))


def hold(scratch: Path, repo: dict[str, Any], home: Path) -> None:
    """The hook lets pass what is fresh, and refuses what is not."""
    fine = pre_commit(scratch, repo, home)
    if "An unexpected error has occurred" in fine.stdout and "pip" in fine.stdout:
        pytest.skip(f"pip could not install the hook: {fine.stdout.splitlines()[-1]}")
    assert fine.returncode == 0, fine.stdout + fine.stderr
    (scratch / "README.md").write_text("no spec\n", encoding="utf-8")
    skipped = good(pre_commit(scratch, repo, home))
    assert "(no files to check)Skipped" in skipped.stdout + skipped.stderr
    edit(scratch)
    refused = pre_commit(scratch, repo, home)
    told = refused.stdout + refused.stderr
    assert refused.returncode == 1 and "Failed" in told and "Stale (" in told, told
    good(sh(scratch, f"adaptergen build {SPEC}"))
    passed = good(pre_commit(scratch, repo, home))
    assert "Passed" in passed.stdout + passed.stderr


@pytest.mark.slow
@needs_shell
@needs_git
@needs_pre_commit
def test_pre_commit_with_the_installed_adaptergen(scratch: Path, tmp_path: Path) -> None:
    local = {"repo": "local", "hooks": [{**hook(), "language": "system"}]}
    hold(scratch, local, tmp_path / "home")


@pytest.mark.slow
@needs_shell
@needs_git
@needs_pre_commit
def test_pre_commit_from_a_clone(scratch: Path, tmp_path: Path) -> None:
    # A repository with what the sdist has, for pre-commit to clone and to install.
    build = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, timeout=120)
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked")
    (clone,) = (tmp_path / "unpacked").iterdir()
    good(sh(clone, "git init -q . && git add -f . && git commit -qm 1 && git tag v1"))
    there = {"repo": clone.as_uri(), "rev": "v1", "hooks": [{"id": "adaptergen-check"}]}
    hold(scratch, there, tmp_path / "home")


def lines(workflow: Any) -> list[str]:
    """The `run:` lines of all jobs."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return [step["run"] for step in steps if "run" in step]


def test_the_workflows_are_as_github_wants_them() -> None:
    _, check, nightly, survey = blocks()
    for workflow in (check, nightly, survey):
        assert {"name", "on", "permissions", "jobs"} == set(workflow)
        for job in workflow["jobs"].values():
            assert job["runs-on"] and all(("uses" in s) != ("run" in s) for s in job["steps"])
            assert job["steps"][0]["uses"].startswith("actions/checkout@")
    assert check["on"] == ["push", "pull_request"]
    assert len(nightly["on"]["schedule"][0]["cron"].split()) == 5
    assert [line for line in lines(nightly) if "transformers" in line and "--upgrade" in line]


def test_the_shards_of_the_page_are_all() -> None:
    survey = blocks()[3]
    jobs = survey["jobs"]
    shards = jobs["measure"]["strategy"]["matrix"]["shard"]
    (measure, join) = [line for line in lines(survey) if line.startswith("adaptergen survey")]
    assert shards == list(range(1, len(shards) + 1)) and jobs["join"]["needs"] == "measure"
    for shard in shards:
        line = measure.replace("${{ matrix.shard }}", str(shard))
        args = make_parser().parse_args(shlex.split(line)[1:])
        assert args.shard == (shard, len(shards)) and args.json == f"shard-{shard}.json"
    args = make_parser().parse_args(shlex.split(join)[1:])
    assert args.merge == [Path("shard-*.json")] and args.report == "survey.md"


@needs_shell
@needs_git
def test_the_check_of_the_page(scratch: Path) -> None:
    install, check = lines(blocks()[1])
    assert install == "pip install adaptergen"
    assert "Fine: " in good(sh(scratch, check)).stderr
    adapter = scratch / ADAPTER
    adapter.write_bytes(adapter.read_bytes() + b"# mine\n")
    assert sh(scratch, check).returncode == 1
    (scratch / SPEC).write_text("spec: 1\n", encoding="utf-8")
    assert sh(scratch, check).returncode == 2


@pytest.mark.slow
@pytest.mark.heavy
@needs_shell
@needs_git
def test_the_night_of_the_page(scratch: Path) -> None:
    *installs, drift, verify = lines(blocks()[2])
    assert all(line.startswith("pip install ") for line in installs)
    shutil.copy(ROOT / LOCK, scratch / LOCK)
    # What it says of the installed release depends on which one that is.
    told = sh(scratch, drift, 300, HF_HUB_OFFLINE="1")
    assert told.returncode in (0, 1), told.stderr
    assert (told.returncode == 1) is ("::error" in told.stdout or "::warning" in told.stdout)
    good(sh(scratch, verify, 300, HF_HUB_OFFLINE="1"))
    assert (scratch / "verify.json").is_file()
