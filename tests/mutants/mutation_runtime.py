"""Mutants of the runtime, and its own tests, up to the first that fails.

Tests that never call the function with the mistake are left out, since they cannot notice. What is
outside functions, in one whose results are kept, or in one that no test is seen to call, is tried
on all. Quick tests come first, and those that have killed others.
"""

from __future__ import annotations

import ast
import importlib
import os
import sys
import threading
from collections import Counter, defaultdict
from functools import cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from mutation import Mutant, mutants
from mutation_environment import ROOT

from adaptergen.resources import RUNTIME, shipped

TESTS = ROOT / "tests" / "runtime"
_REGISTRATION = "registration.py"


def runtime_mutants() -> list[Mutant]:
    """The mutants of every module that ships."""
    return [
        one
        for path in shipped().values()
        for one in mutants(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]


def tables_of_tests() -> list[Any]:
    """What is promised of the architectures that the tests have, read once for all forks."""
    sys.path.insert(0, str(TESTS))
    # Pytest takes a module that is imported, and with it the tables that it keeps.
    tests = importlib.import_module("test_behaviours")
    return [tests.tables(name) for name in tests.FAMILIES]


def is_imported() -> bool:
    """Whether this process has imported a module of the runtime."""
    return any(f"{RUNTIME}.{name}" in sys.modules for name in shipped())


def observed(folder: Path) -> dict[str, Any]:
    """A run of all tests: which functions each test calls, and how long it takes."""
    recorder = _Recorder()
    # A test that takes notice of being watched may fail here, and says nothing by that.
    _pytest(recorder, "--maxfail=0")
    calls = {name: sorted(found) for name, found in recorder.calls.items()}
    return {"calls": calls, "seconds": recorder.seconds}


def judge(mutant: Mutant | None, seen: dict[str, Any], kills: Counter[str]) -> dict[str, str]:
    """The first test that fails, with a mutant if there is one; nothing if none does.

    `kills` says how many mutants each test has killed so far.
    """
    known = set(seen["seconds"])
    order = _Order(tests_of(mutant, seen) if mutant else known, seen, kills)
    if mutant:
        _import_instead(mutant)
    status = _pytest(order, "-x")
    # Where no test is left, all have passed.
    ended = "" if status in (0, int(pytest.ExitCode.NO_TESTS_COLLECTED)) else "collection"
    return {"emitted": order.failed or ended}


def _import_instead(mutant: Mutant) -> None:
    """Have the mutant imported where its module is, from wherever."""
    original = (ROOT / mutant.file).read_text("utf-8")
    get_code = SourceFileLoader.get_code

    def mutated(self: Any, fullname: str) -> Any:
        # A copy of the module may be what is imported.
        if str(self.path).startswith(str(ROOT / "adaptergen")):
            is_it = Path(self.path) == ROOT / mutant.file
        else:
            named = Path(self.path).name in (_REGISTRATION, f"{_name_of(mutant.file)}.py")
            is_it = named and Path(self.path).read_text("utf-8") == original
        return compile(mutant.source, self.path, "exec") if is_it else get_code(self, fullname)

    SourceFileLoader.get_code = mutated


def tests_of(mutant: Mutant, seen: dict[str, Any]) -> set[str]:
    """The tests that may notice a mutant: those that call the function in which it is, or all."""
    spot, everything = _function_at(mutant), set(seen["seconds"])
    called = {name for name, found in seen["calls"].items() if spot in found}
    # What torch compiles calls functions unseen.
    if spot is None or "" in called or not called:
        return everything
    return {name for name in everything if name in called or name.split("::")[0] in called}


def _name_of(file: str) -> str:
    path = Path(file)
    return path.parent.name if path.name == "runtime.py" else path.stem


def _function_at(mutant: Mutant) -> str | None:
    """The innermost function around a mutant, as calls of it are noted; None if it is cached."""
    tree = ast.parse((ROOT / mutant.file).read_text("utf-8"))
    found: ast.FunctionDef | None = None
    for node in ast.walk(tree):
        is_around = isinstance(node, ast.FunctionDef) and node.body[0].lineno <= mutant.line
        if is_around and mutant.line <= (node.end_lineno or 0):
            found = node  # the walk is from the outside in
    if found is None or any("cache" in ast.unparse(one) for one in found.decorator_list):
        return None
    line = min([found.lineno, *(one.lineno for one in found.decorator_list)])
    return f"{_name_of(mutant.file)}:{line}"


@cache
def _module_of(file: str) -> str:
    """The module of the runtime that a file is, or a copy of; nothing if none."""
    for name, path in shipped().items():
        if file == str(path) or (path.name == _REGISTRATION == Path(file).name):
            return name
    return ""


class _Recorder:
    """Notes the calls of each test. What a fixture calls counts for all tests of the file."""

    def __init__(self) -> None:
        self.calls: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        self.now = ""
        sys.setprofile(self._profile)
        threading.setprofile(self._profile)

    def _profile(self, frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            module = _module_of(frame.f_code.co_filename)
            if module:
                self.calls[self.now].add(f"{module}:{frame.f_code.co_firstlineno}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: Any) -> None:
        self.now = item.nodeid.split("::")[0]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: Any) -> None:
        self.now = item.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: Any) -> None:
        self.now = item.nodeid.split("::")[0]

    def pytest_runtest_logreport(self, report: Any) -> None:
        before = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = before + report.duration


class _Order:
    """Runs some of the known tests, and those unknown; first those that kill most in a second."""

    def __init__(self, chosen: set[str], seen: dict[str, Any], kills: Counter[str]) -> None:
        self.chosen, self.seconds, self.kills = chosen, seen["seconds"], kills
        self.failed = ""

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [one for one in items if one.nodeid in self.chosen or not self._is_known(one)]
        items.sort(key=self._rank)

    def _is_known(self, item: Any) -> bool:
        return item.nodeid in self.seconds

    def _rank(self, item: Any) -> float:
        return self.seconds.get(item.nodeid, 0.0) / (1 + self.kills[_short(item.nodeid)])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = _short(report.nodeid)


def _short(node: str) -> str:
    return node.removeprefix("tests/runtime/")


def _pytest(plugin: Any, option: str) -> int:
    os.chdir(ROOT)
    options = [option, "-q", "--tb=line", "-p", "no:cacheprovider", "-W", "ignore"]
    # What an assert compared is not shown.
    return int(pytest.main([*options, "--assert=plain", str(TESTS)], plugins=[plugin]))
