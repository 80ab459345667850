# Generated from specs/deepseek_v3.yaml by `adaptergen build specs/deepseek_v3.yaml`.
"""Puts the adapter in this folder in the place of the installed one, for the tests in this folder."""

import importlib
import os
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

PACKAGE = "transformer_lens.model_bridge.supported_architectures"
TESTS = "tests.integration.model_bridge"


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: needs a checkpoint")
    # Two of the test files have the same name.
    config.option.importmode = "importlib"
    # Imported here, not above: what instruments transformer_lens has to be set up before.
    register = runpy.run_path(str(Path(__file__).with_name("register.py")))
    shared = register["shared"]()
    package = importlib.import_module(PACKAGE)
    package.__path__.insert(0, str(Path(__file__).parent.joinpath(*PACKAGE.split("."))))
    sys.modules.pop(f"{PACKAGE}.deepseek_v3", None)
    module = importlib.import_module(f"{PACKAGE}.deepseek_v3")
    adapter = module.DeepSeekV3ArchitectureAdapter
    setattr(package, adapter.__name__, adapter)
    # As `register()` does it, but with the module that the tests import.
    shared.enter(register["ARCHITECTURE"], adapter)
    offer_tests(Path(__file__).parent)


def offer_tests(folder):
    """Have upstream's names for what the tests share lead to it: the contract, and the tables."""
    for end in range(1, len(TESTS.split(".")) + 1):
        name = ".".join(TESTS.split(".")[:end])
        package = sys.modules.setdefault(name, ModuleType(name))
        package.__path__ = [
            *getattr(package, "__path__", []),
            str(folder.joinpath(*name.split("."))),
        ]
    package.__path__.append(str(folder.parent / "_runtime"))


def pytest_collection_modifyitems(items):
    if "DEEPSEEK_V3_CHECKPOINT" in os.environ:
        return
    reason = "reads a checkpoint: set DEEPSEEK_V3_CHECKPOINT to a Hub id or a folder"
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason=reason))
