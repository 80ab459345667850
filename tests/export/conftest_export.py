"""A checkout of TransformerLens 4.3.0: its source distribution as a git repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from upstream_source import source

from adaptergen.catalogue.library import COMPONENTS as CATALOGUED
from adaptergen.catalogue.library import Library
from adaptergen.cli import main

extract = import_module("adaptergen.catalogue.extract")
PROJECT = Path(__file__).parents[2]
NEMOTRON = PROJECT / "specs" / "nemotron_h.yaml"
HELIUM = PROJECT / "specs" / "helium.yaml"
MODELS = "transformer_lens/tools/model_registry/data/supported_models.json"
GAPS = "transformer_lens/tools/model_registry/data/architecture_gaps.json"
ADAPTERS = "transformer_lens/model_bridge/supported_architectures"
FACTORY = "transformer_lens/factories/architecture_adapter_factory.py"
REGISTRY = "transformer_lens/tools/model_registry/__init__.py"
REPORT = "transformer_lens/tools/model_registry/generate_report.py"
BUILDER = "transformer_lens/model_bridge/sources/_bridge_builder.py"
#: What these tests need of the whole.
KEPT = (
    "transformer_lens", "tests/__init__.py", "tests/integration/__init__.py",
    "tests/QUARANTINES.md", "tests/integration/model_bridge",
    "tests/unit/tools", "tests/unit/model_bridge/supported_architectures", ".github",
    "pyproject.toml", "PKG-INFO",
)  # fmt: skip
LEFT_OUT = ("verification_history.json", "test_[!dmn]*")

os.environ.update(
    GIT_AUTHOR_NAME="Test", GIT_AUTHOR_EMAIL="test@example.org", GIT_COMMITTER_NAME="Test",
    GIT_COMMITTER_EMAIL="test@example.org", GIT_CONFIG_GLOBAL=os.devnull,
)  # fmt: skip


def git(root: Path, *arguments: str) -> str:
    """What git says."""
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def content(root: Path) -> dict[str, bytes]:
    """Every file but those of git, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


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


def copy_of(version: str, folder: Path) -> Path:
    """A checkout of a version, on a branch called dev."""
    folder.mkdir()
    for name in KEPT:
        place = source(version) / name
        if place.is_dir():
            left_out = shutil.ignore_patterns(
                *LEFT_OUT if name.startswith("tests") else LEFT_OUT[:1]
            )
            shutil.copytree(place, folder / name, ignore=left_out)
        elif place.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=dev")
    git(folder, "config", "core.autocrlf", "false")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message=base")
    return folder


def with_few_models(folder: Path) -> Path:
    """The same with the first and the last rows of the list of models, which is long."""
    file = folder / MODELS
    lines = file.read_text(encoding="utf-8").split("\n")
    starts = [number for number, line in enumerate(lines) if line == "    {"]
    file.write_text("\n".join([*lines[: starts[3]], *lines[starts[-40] :]]), encoding="utf-8")
    git(folder, "commit", "--quiet", "--all", "--message=fewer models")
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cloned by the tests, never changed."""
    return with_few_models(copy_of("4.3.0", tmp_path_factory.mktemp("base") / "upstream"))


@pytest.fixture
def upstream(base: Path, tmp_path: Path) -> Path:
    """A clean clone on a branch of its own."""
    folder = tmp_path / "TransformerLens"
    command = ["git", "clone", "--quiet", "--shared", "--no-tags", str(base), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    git(folder, "switch", "--quiet", "--create", "work")
    return folder


@pytest.fixture(scope="session")
def new_spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec of an architecture that TransformerLens lacks, with its shapes."""
    folder = tmp_path_factory.mktemp("new") / "specs"
    shutil.copytree(PROJECT / "specs", folder)
    text = (folder / "deepseek_v3.yaml").read_text(encoding="utf-8")
    for old, new in (
        ("DeepseekV3ForCausalLM", "HeronForCausalLM"), ("deepseek_v3", "heron"),
        ("DeepSeekV3", "Heron"), ("DeepSeek-V3", "Heron"), ("deepseek-ai", "heron-org"),
        ("kv_lora_rank, ", "kv_lora_rank, heron_width, "),
    ):  # fmt: skip
        text = text.replace(old, new)
    spec = folder / "heron.yaml"
    spec.write_text(text, encoding="utf-8")
    return spec


@pytest.fixture(autouse=True, scope="session")
def one_reading_of_the_components() -> Iterator[None]:
    """No test changes a component, and reading them all takes most of a second."""
    read, kept = extract.find_components, {}

    def find(library: Library, gaps: list[str]) -> object:
        files = sorted((library.package / CATALOGUED).glob("*.py"))
        key = tuple((file.name, file.stat().st_size) for file in files)
        if key not in kept:
            found: list[str] = []
            kept[key] = read(library, found), found
        components, found = kept[key]
        gaps += found
        return components

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extract, "find_components", find)
        yield


class Result:
    """What came of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs one command line of adaptergen."""

    def command(*arguments: str | Path) -> Result:
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return command
