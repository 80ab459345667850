"""What is packaged works without the checkout, and makes the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from adaptergen import resources

ROOT = Path(__file__).parents[1]
SPEC = ROOT / "specs" / "nemotron_h.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel that is made of the sdist."""
    if find_spec("build") is None or find_spec("hatchling") is None:
        pytest.skip("needs build and hatchling: pip install 'adaptergen[dev]'")
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def installed(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked as an installer does it."""
    folder = tmp_path_factory.mktemp("installed")
    (wheel,) = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(home: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the adaptergen that lies in the folder `home`."""
    environment = {**os.environ, "PYTHONPATH": str(home)}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
    )


def tree(folder: Path) -> dict[str, bytes]:
    """The files below a folder, without what Python keeps of those that were imported."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def test_the_wheel_has_its_data(installed: Path) -> None:
    data = installed / "adaptergen" / "data"
    for name in ("specs", "templates"):
        assert tree(data / name) == tree(ROOT / name)
    assert tree(ROOT / "adaptergen" / "data").items() <= tree(data).items()
    assert (installed / "adaptergen" / "py.typed").is_file()
    (metadata,) = installed.glob("*.dist-info")
    assert (metadata / "licenses" / "LICENSE").is_file()
    assert {path.name for path in installed.iterdir()} == {"adaptergen", metadata.name}


def test_the_wheel_builds_the_same_files(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / SPEC.name).write_bytes(SPEC.read_bytes())
    where = run(installed, tmp_path, "-c", "import adaptergen; print(adaptergen.__file__)")
    assert where.stdout.startswith(str(installed))
    for home, out in ((installed, "installed"), (ROOT, "checkout")):
        command = ("-m", "adaptergen", "build", f"specs/{SPEC.name}", "--out", out)
        built = run(home, tmp_path, *command)
        assert built.returncode == 0, built.stderr
    assert tree(tmp_path / "installed") == tree(tmp_path / "checkout")


def test_the_sdist_has_what_the_tests_need(packages: Path) -> None:
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for folder in ("benchmarks", "docs", "generated", "specs", "templates", "tests"):
        files = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files <= names, folder
    single = {"Makefile", "constraints.txt", "pyproject.toml", "CHANGELOG.md"}
    assert {*single, ".pre-commit-hooks.yaml"} <= names
    assert not [name for name in names if name.startswith(".venv") or "__pycache__" in name]


def test_in_a_checkout_files_are_found_where_people_edit_them() -> None:
    assert resources.checkout() == ROOT
    assert resources.templates() == ROOT / "templates"
    assert resources.shapes() == ROOT / "specs" / "shapes"


@pytest.mark.long
@pytest.mark.heavy
def test_the_wheel_drafts_builds_and_verifies_in_an_empty_folder(
    packages: Path, tmp_path: Path
) -> None:
    home, work = tmp_path / "environment", tmp_path / "work"
    venv.create(home, symlinks=os.name != "nt")
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    own = Path(sysconfig.get_path("purelib", vars={"base": str(home)}))
    # What adaptergen needs is that of the environment this runs in.
    shared = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    (own / "shared.pth").write_text("\n".join(sorted(shared)), encoding="utf-8")
    (wheel,) = packages.glob("*.whl")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run([*command, "--no-deps", "--quiet", str(wheel)], check=True)
    work.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def adaptergen(*arguments: str) -> str:
        done = subprocess.run(
            [python, "-m", "adaptergen", *arguments],
            cwd=work, env=env, capture_output=True, text=True, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    said = adaptergen("init", "LlamaForCausalLM")
    assert "verified: Fine" in said and "failed" not in said
    assert {path.name for path in work.iterdir()} == {"specs", "generated"}
    assert "Fine" in adaptergen("build", "--check", "specs/llama.yaml")
    assert "Fine" in adaptergen("verify", "specs/llama.yaml")
    code = "import adaptergen; print(adaptergen.__file__)"
    where = subprocess.run([python, "-c", code], cwd=work, env=env, capture_output=True, text=True)
    assert Path(where.stdout.strip()).is_relative_to(home)


@pytest.fixture(scope="module", params=["*.whl", "*.tar.gz"], ids=["wheel", "sdist"])
def commands(
    request: pytest.FixtureRequest, packages: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of commands of a fresh environment in which the package was installed by name."""
    home = tmp_path_factory.mktemp("environment")
    links = tmp_path_factory.mktemp("links")
    (package,) = packages.glob(request.param)
    shutil.copy(package, links)
    venv.create(home, with_pip=True)
    folder = home / ("Scripts" if os.name == "nt" else "bin")
    command = [str(folder / "python"), "-m", "pip", "install", "adaptergen==0.1.0"]
    settings = {"PIP_FIND_LINKS": str(links), "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"pip could not install what adaptergen needs: {done.stderr.strip()[-200:]}")
    return folder


def use(commands: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command as a user does, who has no checkout."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(commands / "adaptergen"), *arguments],
        cwd=cwd, env=kept, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_installed_elsewhere(commands: Path, tmp_path: Path) -> None:
    """A copied spec, a folder that has nothing else, and no torch."""
    for arguments in (["--help"], ["build", "--help"], ["--version"]):
        told = use(commands, tmp_path, *arguments)
        assert told.returncode == 0 and "adaptergen" in told.stdout, told.stderr
    for name in ("spec", "shape"):
        committed = resources.schema(name).read_text(encoding="utf-8")
        assert use(commands, tmp_path, "schema", name).stdout == committed
    (tmp_path / SPEC.name).write_bytes(SPEC.read_bytes())
    built = use(commands, tmp_path, "build", SPEC.name)
    assert built.returncode == 0, built.stderr
    ours, goldens = tree(tmp_path / "generated"), ROOT / "generated"
    golden = {
        f"{folder}/{name}": data
        for folder in ("nemotron_h", "_runtime")
        for name, data in tree(goldens / folder).items()
    }
    assert set(ours) == set(golden)
    for name, data in golden.items():
        # The headers name the spec by its path in the project, which here has no specs/.
        plain = data.replace(b"specs/nemotron_h.yaml", b"nemotron_h.yaml")
        assert name == "nemotron_h/manifest.json" or ours[name] == plain, name
    assert use(commands, tmp_path, "build", SPEC.name, "--check").returncode == 0
    verified = use(commands, tmp_path, "verify", SPEC.name)
    assert verified.returncode == 2 and "pip install 'adaptergen[verify]'" in verified.stderr


def test_installed_elsewhere_a_mistake_is_told(commands: Path, tmp_path: Path) -> None:
    text = SPEC.read_text(encoding="utf-8").replace("DynamicCache", "DynamcCache")
    (tmp_path / SPEC.name).write_text(text, encoding="utf-8")
    told = use(commands, tmp_path, "build", SPEC.name)
    assert told.returncode == 2 and "did you mean `DynamicCache`?" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == [SPEC.name]
