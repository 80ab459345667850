"""Modules that lie in a folder and are none of adaptergen's business."""

from __future__ import annotations

from pathlib import Path

PROJECT = Path(__file__).parents[2]
#: Of adaptergen, of what it runs, of what is run at every start, of Python, of what is heavy.
NAMES = ("adaptergen", "black", "isort", "json", "mypy", "sitecustomize", "torch", "usercustomize")
_MARKER = "ran.txt"


def planted(folder: Path, *names: str) -> Path:
    """A folder with modules that leave their names there when they are imported, and fail."""
    folder.mkdir(exist_ok=True)
    for name in names:
        code = f"open({str(folder / _MARKER)!r}, 'a').write('{name} ')\nraise SystemExit(3)\n"
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return folder


def ran(*folders: Path) -> list[str]:
    """The names of those that were imported."""
    markers = [folder / _MARKER for folder in folders]
    return [name for one in markers if one.exists() for name in one.read_text("utf-8").split()]
