"""Where the files are that come with adaptergen; no other module knows.

In a wheel everything lies in `adaptergen/data/`. In a checkout (or an editable install, which is
one) `templates/` and `specs/` lie at its root instead, where people edit them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parent / "data"
CATALOGUES = DATA / "catalogues"

_ROOT = Path(__file__).parent.parent

#: Where adapters find what all of them use, unless they are in a package of their own.
RUNTIME = "transformer_lens.model_bridge.generalized_components"


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


@lru_cache
def shipped() -> Mapping[str, Path]:
    """The modules of the runtime, by the names that adapters import them by, and their files."""
    package = importable() / "adaptergen"
    own = [path for path in (package / "runtime").glob("*.py") if path.stem != "__init__"]
    files = {path.stem: path for path in own}
    files |= {path.parent.name: path for path in (package / "behaviours").glob("*/runtime.py")}
    return dict(sorted(files.items()))


def contract() -> Mapping[str, Path]:
    """The modules of the package that tests of adapters rest on, by their names."""
    package = importable() / "adaptergen"
    files = {path.stem: path for path in (package / "contract").glob("*.py")}
    return {**files, **contracts_of_behaviours()}


def contracts_of_behaviours() -> Mapping[str, Path]:
    """What tests check of each behaviour that has such a module."""
    found = (importable() / "adaptergen" / "behaviours").glob("*/contract.py")
    return {path.parent.name: path for path in sorted(found)}


def behaviours() -> list[str]:
    """The names of the behaviours, which are folders."""
    found = (importable() / "adaptergen" / "behaviours").glob("*/language.py")
    return sorted(path.parent.name for path in found)


def errors() -> Path:
    """The page of error codes."""
    return DATA / "errors.md"


def schema(name: str) -> Path:
    """The committed JSON Schema of that name: `spec`, `shape`, or what a command writes."""
    return DATA / f"{name}.schema.json"


@lru_cache
def reserved_names(owner: str) -> frozenset[str]:
    """Names that a spec cannot give, since other projects have them already.

    Of a `config`: methods and properties of the configs of TransformerLens and Hugging Face. Of a
    `component`: what it has from `torch.nn.Module` or its own, without what starts with `_`. The
    names are written out, since a spec is checked without those projects.
    """
    return frozenset(json.loads((DATA / "reserved_names.json").read_text("utf-8"))[owner])


def importable() -> Path:
    """The folder from which `adaptergen` was imported."""
    return _ROOT


def checkout() -> Path | None:
    """The root of the checkout that adaptergen runs from; None if it was installed."""
    return _ROOT if (_ROOT / "pyproject.toml").is_file() and not (DATA / "specs").exists() else None


def _folder(name: str) -> Path:
    packaged = DATA / name
    return packaged if packaged.is_dir() else _ROOT / name
