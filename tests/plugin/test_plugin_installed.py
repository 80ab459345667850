"""Packages in fresh environments beside TransformerLens: built, installed, tested, used."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from adaptergen.cli import main

ROOT = Path(__file__).parents[2]
SPECS = [ROOT / "specs" / name for name in ("helium.yaml", "nemotron_h.yaml")]

pytestmark = [pytest.mark.slow, pytest.mark.heavy]

WHEEL, SDIST = "tl_both-0.1.0-py3-none-any.whl", "tl_both-0.1.0.tar.gz"

#: Boots a tiny model from a folder, and says which adapter it has.
BOOT = """
import sys, torch
from tokenizers import Tokenizer, models
from transformers import HeliumForCausalLM, PreTrainedTokenizerFast
from transformer_lens.model_bridge import TransformerBridge

config = HeliumForCausalLM.config_class(
    vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=4, head_dim=8, initializer_range=0.2,
)
model = HeliumForCausalLM(config).eval()
model.save_pretrained(sys.argv[1])
words = {f"w{number}": number for number in range(64)}
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")),
    pad_token="w0", bos_token="w1", eos_token="w2",
)
tokenizer.save_pretrained(sys.argv[1])
try:
    TransformerBridge.boot_transformers(sys.argv[1], device="cpu")
except ValueError as error:
    print(str(error).partition(".")[0])
assert "tl_both" not in sys.modules
import tl_both
bridge = TransformerBridge.boot_transformers(sys.argv[1], device="cpu")
print(type(bridge.adapter).__module__)
model.set_attn_implementation("eager")
tokens = torch.arange(3, 12)[None]
print(torch.equal(bridge(tokens), model(tokens).logits))
"""
#: Boots the model from that folder without naming the package.
DISCOVERED = """
import sys
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge import TransformerBridge

ArchitectureAdapterFactory.discover_entry_points()
print(type(TransformerBridge.boot_transformers(sys.argv[1], device="cpu").adapter).__module__)
"""
#: The same after TransformerLens has looked for packages, and before this one was installed.
LATE = """
import sys
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge import TransformerBridge

ArchitectureAdapterFactory._entry_points_discovered = True
import tl_both
print(type(TransformerBridge.boot_transformers(sys.argv[1], device="cpu").adapter).__module__)
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist of two adapters, to which the author added a licence, and a wheel."""
    missing = [name for name in ("build", "hatchling", "pip") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install 'adaptergen[dev]'")
    folder = tmp_path_factory.mktemp("packages")
    assert main(["export", *map(str, SPECS), "--plugin", str(folder / "tl-both")]) == 0
    (folder / "tl-both" / "LICENSE").write_text("mine")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*command, str(folder / "tl-both")], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def tests(packages: Path) -> Path:
    """The source distribution, unpacked, without its sources: what is tested is installed."""
    with tarfile.open(packages / SDIST) as archive:
        archive.extractall(packages / "unpacked")
    folder = packages / "unpacked" / "tl_both-0.1.0"
    (folder / "src").rename(folder / "moved away")
    return folder


@pytest.fixture(
    scope="module",
    params=[WHEEL, pytest.param(SDIST, marks=pytest.mark.long)],
    ids=["wheel", "sdist"],
)
def python(
    request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Python of an environment with the package; what it needs is that of the one this runs in."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=os.name != "nt")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = sysconfig.get_path("purelib", vars={"base": str(home)})
    shared = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (Path(own) / "shared.pth").write_text("\n".join(sorted(shared)), encoding="utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    options = ["--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, *options, str(packages / request.param)], check=True)
    return python


@pytest.fixture(scope="module")
def use(python: Path, tmp_path_factory: pytest.TempPathFactory):
    """Runs that Python without this project and without a network."""
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "adaptergen.py").write_text("raise ImportError('not there')", encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(hidden), "HF_HUB_OFFLINE": "1"}

    def run(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(python), *arguments]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)

    return run


def test_the_wheel_has_what_a_typed_package_has(packages: Path) -> None:
    with zipfile.ZipFile(packages / WHEEL) as archive:
        names = set(archive.namelist())
    assert "tl_both/py.typed" in names
    assert "tl_both-0.1.0.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if name.startswith(("tests", "src"))]


def test_its_tests_pass(use, tests: Path, request: pytest.FixtureRequest) -> None:
    # The adapters are the same in both; from the wheel all is run.
    part = ["-k", "not nemotron_h_tiny"] if "sdist" in request.node.name else []
    result = use(tests, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part)
    assert result.returncode == 0, result.stdout[-3000:]
    assert " passed" in result.stdout and "skipped" not in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("python", [WHEEL], indirect=True, ids=["wheel"])
def test_booted_from_a_folder(use, tmp_path: Path) -> None:
    result = use(tmp_path, "-c", BOOT, str(tmp_path / "model"))
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.splitlines() == [
        # Without an import: docs/plugin.md says what to do when this is no longer so.
        "Could not determine supported architecture from config",
        "tl_both.helium",
        "True",
    ]
    for script in (DISCOVERED, LATE):
        result = use(tmp_path, "-c", script, str(tmp_path / "model"))
        assert (result.returncode, result.stdout) == (0, "tl_both.helium\n"), result.stderr[-3000:]


def test_types(packages: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--follow-imports=skip", "--ignore-missing-imports"]
    # Classes of TransformerLens are unknown here: to read them all takes mypy minutes.
    command += [
        "--disable-error-code=has-type",
        "--disallow-untyped-defs",
        "--no-incremental",
        "--config-file=",
        "src/tl_both",
    ]
    result = subprocess.run(command, cwd=packages / "tl-both", capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
