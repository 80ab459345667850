"""What is packaged works without the checkout, and makes the same files."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
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
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
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
    for folder in ("docs", "generated", "specs", "templates", "tests"):
        files = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files <= names, folder
    assert {"Makefile", "constraints.txt", "pyproject.toml", "CHANGELOG.md"} <= names
    assert not [name for name in names if name.startswith(".venv") or "__pycache__" in name]


def test_in_a_checkout_files_are_found_where_people_edit_them() -> None:
    assert resources.checkout() == ROOT
    assert resources.templates() == ROOT / "templates"
    assert resources.shapes() == ROOT / "specs" / "shapes"
