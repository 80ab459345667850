"""Problems as data and as text."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptergen.error_codes import error_codes
from adaptergen.problems import (
    HIDDEN,
    Failed,
    Problem,
    SourceLocation,
    SpecValueError,
    every,
    render,
    suggestion,
)
from adaptergen.records import problem_entry

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "adaptergen"


def test_render() -> None:
    problem = Problem(
        "unknown-key",
        "`submodule` is not a key of a block",
        "did you mean `submodules`?",
        SourceLocation("specs/x.yaml", 12, 5, 9),
        "    submodule: {}",
    )
    assert render([problem]) == (
        "specs/x.yaml:12:5: error[unknown-key]: `submodule` is not a key of a block\n"
        "   12 |     submodule: {}\n"
        "      |     ^^^^^^^^^\n"
        "      = hint: did you mean `submodules`?"
    )
    colored = render([problem], color=True)
    assert "\x1b[1;31merror[unknown-key]\x1b[0m" in colored


def test_render_without_a_line_or_a_place() -> None:
    assert render([Problem("no-such-file", "gone", "look", SourceLocation("a.yaml"))]) == (
        "a.yaml:1:1: error[no-such-file]: gone\n      = hint: look"
    )
    assert render([Problem("no-code", "bad")]) == "error[no-code]: bad"


def test_without_a_hint_the_example_of_the_code_is_shown() -> None:
    example = f"e.g. {error_codes()['bad-value'].fix}"
    problem = Problem("bad-value", "bad")
    assert render([problem]).endswith(f"= hint: {example}")
    assert problem_entry(problem)["hint"] == example


def test_problems_are_sorted_and_each_told_once() -> None:
    def problem(path: str, line: int, column: int) -> Problem:
        return Problem("bad-value", "m", location=SourceLocation(path, line, column))

    first, second, third = problem("a", 2, 1), problem("a", 10, 1), problem("b", 1, 1)
    assert Failed([third, second, first, second]).problems == (first, second, third)


@pytest.mark.parametrize(
    ("count", "summary"),
    [
        (1, "1 problem."),
        (100, "100 problems."),
        (101, "100 of 101 problems shown."),
        (999, "100 of 999 problems shown."),
        # What reads a file stops there.
        (1000, "100 of 1000 or more problems shown."),
        (40_000, "100 of 1000 or more problems shown."),
    ],
)
def test_so_many_are_shown_and_all_are_counted(count: int, summary: str) -> None:
    failed = Failed([Problem("bad-value", str(number)) for number in range(count)])
    assert failed.summary == summary
    assert failed.shown == failed.problems[:100] and len(failed.problems) == count


@pytest.mark.parametrize("column", [1, 500, 1000])
def test_long_lines_are_windowed(column: int) -> None:
    line = "".join(chr(97 + i % 26) for i in range(1000))
    shown, carets = render(
        [Problem("bad-value", "m", location=SourceLocation("a", 1, column, 3), line_text=line)]
    ).splitlines()[1:3]
    assert len(shown) < 120
    at = carets.index("^")
    assert shown[at] == line[column - 1]


@pytest.mark.parametrize("before", ["\t", "\x1b[31m", "\u202e", "漢字", "e\u0301"])
def test_caret_stays_below_its_character(before: str) -> None:
    text = render(
        [
            Problem(
                "bad-value",
                "m",
                location=SourceLocation("a", 1, len(before) + 1, 1),
                line_text=before + "X",
            )
        ]
    )
    shown, carets = text.splitlines()[1:3]
    wide = sum(char in "漢字" for char in shown) - sum(char == "\u0301" for char in shown)
    assert carets.index("^") == shown.index("X") + wide


@given(st.lists(st.builds(
    Problem,
    code=st.text(),
    message=st.text(),
    hint=st.text(),
    location=st.none()
    | st.builds(
        SourceLocation, st.text(), st.integers(1, 9), st.integers(1, 300), st.integers(0, 300)
    ),
    line_text=st.none() | st.text(st.characters(exclude_characters="\n")),
)))  # fmt: skip
def test_render_never_shows_a_hidden_character(problems: list[Problem]) -> None:
    text = render(problems)
    assert not HIDDEN.search(text)
    assert "\t" not in text and "\r" not in text
    text.encode()  # no lone surrogate


def test_every_gathers_the_problems_of_all() -> None:
    def work(item: int) -> int:
        if item % 2:
            raise Failed([Problem("bad-value", str(item))])
        return item * 10

    assert every(work, [2, 4]) == [20, 40]
    with pytest.raises(Failed) as caught:
        every(work, [1, 2, 3])
    assert [problem.message for problem in caught.value.problems] == ["1", "3"]
    assert "error[bad-value]: 1" in str(caught.value)


def test_suggestion() -> None:
    assert suggestion("submodule", ["submodules", "slots"]) == "did you mean `submodules`?"
    assert suggestion("zzz", ["b", "a"]) == "use one of `a` or `b`"
    assert suggestion("zzz", ["a"]) == "use `a`"
    assert suggestion("zzz", []) == ""
    assert "`n11`" in suggestion("zzz", [f"n{i}" for i in range(30)])


def test_spec_value_error_is_a_value_error() -> None:
    error = SpecValueError("bad-value", "wrong", "mend it")
    assert isinstance(error, ValueError)
    assert str(error) == "wrong (mend it)"


def _codes_used(path: Path) -> set[str]:
    """The string constants that stand in the place of a code."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
        at = {"Problem": 0, "SpecValueError": 0, "problem": 0, "_Finding": 1, "_failed": 1}
        if name in at and len(node.args) > at[name]:
            code = node.args[at[name]]
            if isinstance(code, ast.Constant):
                used.add(str(code.value))
    return used


def test_every_code_used_is_explained() -> None:
    used = {path: _codes_used(path) for path in PACKAGE.rglob("*.py")}
    unexplained = {path.name: codes - set(error_codes()) for path, codes in used.items()}
    assert not any(unexplained.values()), unexplained
    for code, entry in error_codes().items():
        assert code == code.lower() and code.replace("-", "").isalnum()
        assert entry.title and entry.meaning and entry.fix
        assert len(entry.title) < 80


def test_light() -> None:
    heavy = "torch", "transformers", "transformer_lens", "jinja2"
    program = (
        "import sys, adaptergen.problems\n"
        "assert not {'pydantic', 'ruamel', 'ruamel.yaml'} & set(sys.modules)\n"
        "import adaptergen.source.validate, adaptergen.spec.values, adaptergen.spec.arithmetic\n"
        f"assert not set({heavy!r}) & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
