"""What all adapters share: taps, attention, kinds of layer, and the runtime of each behaviour.

The modules here import torch, transformers and TransformerLens, and nothing of adaptergen. They
ship beside local adapters, inside a plugin, and to TransformerLens as modules among its components:
their imports of each other are written as they are there. This module only knows the files.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

from adaptergen import __version__, resources
from adaptergen.output.tree import OutputTree
from adaptergen.resources import RUNTIME, shipped

FOLDER = "_runtime"

#: The package that tests of adapters rest on.
CONTRACT = "adapter_contract"

_REGISTRATION = "registration"

#: What stands for the module of the contract that finds the checks of behaviours.
_BEHAVIOURS = '''"""What each behaviour checks."""

from __future__ import annotations

from . import {names}

ALL = ({names})
'''


@cache
def version() -> int:
    """The version of the runtime, which its own module states."""
    found = re.search(r"^VERSION = (\d+)$", registration(), re.M)
    assert found is not None
    return int(found[1])


def modules() -> dict[str, Path]:
    """The modules that adapters import, by their names, and their files."""
    return {name: path for name, path in shipped().items() if name != _REGISTRATION}


def sources(package: str = RUNTIME) -> dict[str, str]:
    """The text of each module by its name, for a runtime that is imported from `package`."""
    texts = {name: path.read_text("utf-8") for name, path in modules().items()}
    return {name: _moved(text, package) for name, text in texts.items()}


def contract(folder: str) -> dict[str, str]:
    """The package that tests of adapters rest on: path below the tests -> text."""
    texts = {name: path.read_text("utf-8") for name, path in resources.contract().items()}
    behaviours = ", ".join(resources.contracts_of_behaviours())
    texts["behaviours"] = _BEHAVIOURS.format(names=behaviours)
    # A behaviour's module stands in its own folder here, and beside the others there.
    moved = {name: text.replace("from ...contract.", "from .") for name, text in texts.items()}
    return {f"{folder}/{name}.py": text for name, text in moved.items()}


def registration() -> str:
    """The text of the module that enters adapters in TransformerLens."""
    return shipped()[_REGISTRATION].read_text("utf-8")


def wanted() -> OutputTree:
    """The runtime as a build writes it beside adapters."""
    folder = RUNTIME.replace(".", "/")
    files = {f"{folder}/{name}.py": text for name, text in sources().items()}
    files[f"{_REGISTRATION}.py"] = registration()
    files |= contract(CONTRACT)
    meta = {"adaptergen": __version__}
    encoded = {path: text.encode() for path, text in files.items()}
    return OutputTree(FOLDER, "adaptergen", encoded, meta, version())


def install() -> None:
    """Let the runtime be imported under the names that it has in TransformerLens."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder(MetaPathFinder):
    """Finds modules of the runtime that TransformerLens does not have itself."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        found = modules().get(name) if package == RUNTIME else None
        return spec_from_file_location(fullname, found) if found else None


def _moved(text: str, package: str) -> str:
    """The text with its imports of the runtime from `package`."""
    if package == RUNTIME:
        return text
    for name in modules():
        text = text.replace(f"from {RUNTIME}.{name} import", f"from {package}.{name} import")
    return text
