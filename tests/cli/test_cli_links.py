"""What a project links to from elsewhere is not read: not a line of it is shown."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

SECRET = "password: hunter2\n"
LINKED = (
    "specs/helium.yaml",
    "specs/shapes/rms_norm.yaml",
    "specs/helium.lock.json",
    "specs/shapes",
    "specs",
)
COMMANDS = {
    "build": ("build", "specs/helium.yaml"),
    "build --check": ("build", "specs/helium.yaml", "--check"),
    "export": ("export", "specs/helium.yaml", "--plugin", "tl-helium"),
    "drift": ("drift", "specs/helium.yaml", "--from", "5.13.0", "--to", "5.17.0"),
    "inspect": ("inspect", "specs/helium.yaml"),
}


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the user, with files of the names that a spec and its shapes have."""
    folder = tmp_path_factory.mktemp("home")
    for name in ("helium.yaml", "rms_norm.yaml", "hunter2.yaml", "helium.lock.json"):
        (folder / name).write_text(SECRET, encoding="utf-8")
    return folder


def link(path: Path, folder: Path) -> None:
    target = folder if path.is_dir() else folder / path.name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.symlink_to(target)


#: An export reads no lock, and `inspect` reads neither shapes nor locks.
TRIED = [
    (command, path)
    for command in COMMANDS
    for path in LINKED
    if command != "inspect" or path in ("specs/helium.yaml", "specs")
    if command != "export" or not path.endswith(".lock.json")
]


@pytest.mark.parametrize(("command", "path"), TRIED)
def test_a_link_out_of_the_project(
    project: Path, run: Any, secret: Path, path: str, command: str
) -> None:
    link(Path(path), secret)
    result = run(*COMMANDS[command])
    assert result.code == 2, result
    assert "error[link-out]: a link leads out of the project here" in result.err
    assert "= hint: put what it leads to in its place" in result.err
    assert "hunter2" not in result.out + result.err
    assert not Path("generated").exists() and not Path("tl-helium").exists()


def test_a_link_in_the_project_is_followed(project: Path, run: Any) -> None:
    for path in map(Path, ("specs/helium.yaml", "specs/shapes/rms_norm.yaml")):
        kept = project / "kept" / path.name
        kept.parent.mkdir(exist_ok=True)
        path.rename(kept)
        path.symlink_to(kept)
    shutil.move("specs/shapes", "shapes of all")
    Path("specs/shapes").symlink_to("../shapes of all")
    assert run("build", "specs/helium.yaml").code == 0


def test_the_project_itself_may_be_a_link(project: Path, run: Any, secret: Path) -> None:
    (secret / "project").symlink_to(project)
    assert run("build", secret / "project" / "specs" / "helium.yaml").code == 0


def test_a_spec_without_a_folder_of_specs(project: Path, run: Any, secret: Path) -> None:
    shutil.move("specs", "mine")
    assert run("build", "mine/helium.yaml").code == 0
    link(Path("mine/shapes"), secret)
    assert "error[link-out]" in run("build", "mine/helium.yaml").err
