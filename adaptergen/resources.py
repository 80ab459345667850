"""Where the files are that come with adaptergen; no other module knows.

In a wheel everything lies in `adaptergen/data/`. In a checkout (or an editable install, which is
one) `templates/` and `specs/` lie at its root instead, where people edit them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
CATALOGUES = DATA / "catalogues"

_ROOT = Path(__file__).parent.parent


@lru_cache
def templates() -> Path:
    """The folder of the templates."""
    return _folder("templates")


@lru_cache
def specs() -> Path:
    """The folder of the specs that come with adaptergen."""
    return _folder("specs")


def shapes() -> Path:
    """The folder of the shapes that come with adaptergen."""
    return specs() / "shapes"


def contract() -> Path:
    """The folder of the package that tests of adapters rest on."""
    return Path(__file__).parent / "contract"


def schema(name: str) -> Path:
    """The committed JSON Schema of that name: `spec`, `shape`, or what a command writes."""
    return DATA / f"{name}.schema.json"


def checkout() -> Path | None:
    """The root of the checkout that adaptergen runs from; None if it was installed."""
    return _ROOT if (_ROOT / "pyproject.toml").is_file() and not (DATA / "specs").exists() else None


def _folder(name: str) -> Path:
    packaged = DATA / name
    return packaged if packaged.is_dir() else _ROOT / name
