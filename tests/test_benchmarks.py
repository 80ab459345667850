"""The benchmarks run, and nothing is several times slower than it should be.

`make bench` writes what they say to docs/benchmarks.md; here the bounds are wide enough for a busy
machine.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
LIBRARIES = {"black", "isort", "jinja2", "packaging", "pydantic", "ruamel"}
#: What a build imports of adaptergen, beside `generate.py`.
PARTS = ("catalogue", "output", "plan", "problems", "render", "source", "spec")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs os.wait4")


@pytest.fixture(autouse=True)
def from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """`benchmarks` is no part of the package: it lies at the root."""
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.slow
@pytest.mark.long
def test_one_build() -> None:
    from benchmarks import building

    cold, rebuilt, checked, forgot = (figure.value for figure in building.single(2))
    assert cold < 3
    assert rebuilt < 0.7
    assert checked < 2
    assert forgot < 2


@pytest.mark.slow
@pytest.mark.long
def test_many_builds() -> None:
    from benchmarks import building

    each, memory = building.many(6)
    assert each.value < 4
    assert memory.unit == "MB" and memory.value < 400


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.heavy
def test_at_work() -> None:
    from benchmarks import running

    assert running.tiny(4, 1)[0].value < 1.5
    assert running.cached(4, 1)[0].value < 3
    assert running.few_hooks(4, 1)[0].value < 1.5


def imported(paths: Iterable[Path]) -> set[str]:
    """What these modules import of the libraries of a build, each by its dotted name."""
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in found if name.partition(".")[0] in LIBRARIES}


def test_the_bare_process_imports_what_a_build_imports() -> None:
    package = ROOT / "adaptergen"
    build = [package / "generate.py", *(p for part in PARTS for p in package.glob(f"{part}/*.py"))]
    assert imported([ROOT / "benchmarks" / "formatting.py"]) == imported(build)


def test_in_turns_each_goes_first_in_every_other_pair() -> None:
    from benchmarks.measure import in_turns, ratio

    order: list[str] = []

    def side(name: str, value: float) -> float:
        order.append(name)
        return value

    pairs = in_turns(lambda: side("a", 3.0), lambda: side("b", 2.0), 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert ratio(pairs) == 1.5


def test_a_row_says_its_target_and_whether_it_is_met() -> None:
    from benchmarks.measure import Figure
    from benchmarks.page import row

    assert row(Figure("x", 1.25, 1.2)) == "| x | 1.250 | 1.200 | missed |\n"
    assert row(Figure("x", 200.4, 250, "MB", "y")) == "| x (y) | 200 MB | 250 MB | met |\n"
    assert row(Figure("x", 2.0, unit="µs")) == "| x | 2.0 µs |  |  |\n"


def test_the_page_has_versions_and_targets() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.search(r"Python 3\.\d+\.\d+, adaptergen \d", text)
    rows = [line for line in text.splitlines() if line.endswith(("| met |", "| missed |"))]
    assert len(rows) >= 8
