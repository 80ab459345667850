"""Where an entry goes, and what an edit refuses."""

from __future__ import annotations

import pytest

from adaptergen.edit.entries import Entry, add
from adaptergen.edit.imports import add_import
from adaptergen.edit.rows import add_rows, add_table_row, remove_rows, set_number
from adaptergen.problems import Failed, render

MESSY = """\
X: dict[str, int] = {
    # First
    "aa": 1,
    "cc": 1,  # why
    "ee": 1,
    "gg": 1,
    # about the next
    "zz": 1,
    "bb": 1,
    # Second
    "yy": 1,
    "ab": 1,
}
"""


def added(source: str, name: str, **more: object) -> list[str]:
    """The lines that are new, each behind the line before it."""
    kind = "dict" if "{" in source else "list"
    entry = Entry("X", kind, name, "1" if kind == "dict" else "", **more)  # type: ignore[arg-type]
    old, new = source.splitlines(), add(source.encode(), "x.py", entry).decode().splitlines()
    at = next(n for n, line in enumerate(new) if n == len(old) or line != old[n])
    more_lines = len(new) - len(old)
    assert new[:at] + new[at + more_lines :] == old
    return new[at - 1 : at + more_lines]


def test_in_order_where_the_neighbours_are() -> None:
    assert added(MESSY, "dd") == ['    "cc": 1,  # why', '    "dd": 1,']


def test_at_the_end_where_they_are_not() -> None:
    assert added(MESSY, "zza") == ['    "ab": 1,', '    "zza": 1,']
    # Before `aa` and behind `gg` there is no neighbour on the other side.
    assert added(MESSY, "hh") == ['    "ab": 1,', '    "hh": 1,']


def test_at_the_end_of_its_group() -> None:
    assert added(MESSY, "zza", under="First") == ['    "gg": 1,', '    "zza": 1,']
    assert added(MESSY, "zza", under="Third") == ['    "ab": 1,', '    "zza": 1,']


def test_in_a_group_of_its_own() -> None:
    lines = ['    "ab": 1,', "    # Third", '    "dd": 1,']
    assert added(MESSY, "dd", under="Third", heading=True) == lines
    assert added(MESSY, "dd", under="Second", heading=True) == [lines[0], lines[2]]


def test_numbers_and_case_are_in_order_as_isort_has_them() -> None:
    source = 'X = [\n    "Abc",\n    "aBd2",\n    "abd10",\n]\n'
    assert added(source, "ABD9") == ['    "aBd2",', '    "ABD9",']
    assert added(source, "AA") == ["X = [", '    "AA",']
    assert added(source, "b") == ['    "abd10",', '    "b",']


def test_a_list_too_long_for_a_line_is_broken_as_black_does() -> None:
    value = repr([f"organisation-{number}" for number in range(6)])
    made = add(b'X = {\n    "a": [],\n}\n', "x.py", Entry("X", "dict", "b", value)).decode()
    assert '    "b": [\n        "organisation-0",\n' in made and '-5",\n    ],\n}\n' in made


def test_an_import_among_its_like() -> None:
    source = "import os\n\nfrom a.b.bb import B\nfrom a.b.dd import D  # d\n\nX = 1\n"
    made = add_import(source.encode(), "x.py", "a.b.cc", "C").decode()
    assert made == source.replace("B\n", "B\nfrom a.b.cc import C\n")
    long = "C" * 90
    made = add_import(source.encode(), "x.py", "a.b.ee", long).decode()
    assert made == source.replace("# d\n", f"# d\nfrom a.b.ee import (\n    {long},\n)\n")


ROWS = b"""\
{
  "total": 2,
  "rows": [
    {
      "a": "x",
      "m": 1.0
    },
    {
      "a": "y",
      "m": 2
    }
  ],
  "after": ["rows"]
}
"""


def test_a_row_behind_its_like_or_at_the_end() -> None:
    made = add_rows(ROWS, "x.json", "rows", ["a", "m"], [{"a": "x", "m": 3}, {"a": "z", "m": 4}])
    text = ROWS.decode()
    for before, row in (
        ('"m": 1.0\n    }', '{\n      "a": "x",\n      "m": 3\n    }'),
        ('"m": 2\n    }', '{\n      "a": "z",\n      "m": 4\n    }'),
    ):
        text = text.replace(before, f"{before},\n    {row}")
    assert made.decode() == text
    assert add_rows(made, "x.json", "rows", ["a", "m"], [{"a": "x", "m": 3}]) == made


@pytest.mark.parametrize(
    "text", ['{"rows": []}', '{"rows": [{"a": "q"}]}', '{"rows": [\n  {"a": "é"}\n]}']
)
def test_a_row_in_any_form(text: str) -> None:
    import json

    made = add_rows(text.encode(), "x.json", "rows", ["a"], [{"a": "z"}]).decode()
    assert json.loads(made)["rows"] == [*json.loads(text)["rows"], {"a": "z"}]


@pytest.mark.parametrize("gone", ["", "1", "2", "3", "12", "13", "23", "123"])
def test_rows_that_go(gone: str) -> None:
    import json

    text = '{"rows": [\n  {"a": "1"},\n  {"a": "2"},\n  {"a": "3"}\n], "n": 3}'
    made = remove_rows(text.encode(), "x.json", "rows", lambda row: str(row["a"]) in gone)
    assert [row["a"] for row in json.loads(made)["rows"]] == [c for c in "123" if c not in gone]
    assert json.loads(set_number(made, "x.json", "n", 7))["n"] == 7
    assert set_number(made, "x.json", "rows", 7) == made


TABLE = "# T\n\n| Path | Model |\n|---|---|\n| [`b`](b.py) | B |\n| [`a`](a.py) | A |\n\nend\n"


def test_a_row_of_a_table() -> None:
    made = add_table_row(TABLE.encode(), "x.md", ("Path", "Model"), "c.py", ("[`c`](c.py)", "C"))
    assert made.decode() == TABLE.replace("| A |\n", "| A |\n| [`c`](c.py) | C |\n")
    again = add_table_row(made, "x.md", ("Path", "Model"), "c.py", ("[`c`](c.py)", "D"))
    assert again == made
    changed = add_table_row(made, "x.md", ("Path", "Model"), "c.py", ("[`c`:7](c.py)", "D"), True)
    assert changed == made.replace(b"`c`", b"`c`:7")


LIST = Entry("X", "list", "b")
DICT = Entry("X", "dict", "b", "B")
REFUSED: dict[str, tuple[str, Entry, str, list[int]]] = {
    "another value": ("X = {\n  'a': A,\n  'b': C,\n}", DICT, "entry-differs", [3]),
    "there twice": ("X = [\n 'b',\n 'a',\n 'b']", LIST, "entry-twice", [2, 4]),
    "twice in a dict": ("X = {'b': B,\n 'b': B}", DICT, "entry-twice", [1, 2]),
    "no container": ("Y = []\n", LIST, "container-missing", [1]),
    "in a function": ("def f():\n    X = []\n", LIST, "container-missing", [1]),
    "another kind": ("\nX = {'b'}\n", LIST, "container-missing", [2]),
    "computed": ("X = sorted(['a'])\n", LIST, "container-missing", [1]),
    "only added to": ("X += ['a']\n", LIST, "container-missing", [1]),
    "no brackets": ("X = 'a', 'c'\n", LIST, "container-missing", [1]),
    "two of them": ("X = ['a']\n\nX = ['c']\n", LIST, "container-twice", [1, 3]),
    "one of them added to": ("X = ['a']\nX += ['c']\n", LIST, "container-twice", [1, 2]),
    "one of them in a branch": (
        "try:\n    X = []\nexcept OSError:\n    X = ['c']\n", LIST, "container-twice", [2, 4],
    ),
    "a conflict": (
        "X = ['a']\n'''\n<<<<<<< HEAD\n=======\n>>>>>>> dev\n'''\n", LIST, "conflict-markers",
        [3, 5],
    ),
    "one line of Windows": ("X = ['a']\n# a\r\n# b\n", LIST, "mixed-line-ends", [2]),
    "one line that is not": ("X = ['a']\r\n# a\n# b\r\n", LIST, "mixed-line-ends", [2]),
    "a bare carriage return": ("X = ['a']\n# a\r# b\n", LIST, "mixed-line-ends", [2]),
    "no Python": ("X = ['a'\ny = 1\n", LIST, "unreadable-source", [1]),
    "not UTF-8": ("X = ['a']\n# \udcff\n", LIST, "unreadable-source", [2]),
    "a null byte": ("X = ['a']\n# \x00\n", LIST, "unreadable-source", [1]),
}  # fmt: skip


@pytest.mark.parametrize(("source", "entry", "code", "lines"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(source: str, entry: Entry, code: str, lines: list[int]) -> None:
    with pytest.raises(Failed) as failed:
        add(source.encode(errors="surrogateescape"), "folder/x.py", entry)
    found = failed.value.problems
    assert [problem.code for problem in found] == [code] * len(lines)
    assert [problem.location and problem.location.line for problem in found] == lines
    assert all(problem.hint for problem in found)
    assert render(found).startswith(f"folder/x.py:{lines[0]}:")


IMPORTS: dict[str, tuple[str, str, list[int]]] = {
    "from elsewhere": ("from a.c import B\n", "entry-differs", [1]),
    "under another name": ("from a.b import C as B\n", "entry-differs", [1]),
    "imported twice": ("from a.b import B\nfrom a.b import B\n", "entry-twice", [1, 2]),
    "two statements": ("from a.b import A\nfrom a.b import C\n", "container-twice", [1, 2]),
    "everything": ("from a.b import *\n", "container-missing", [1]),
    "nothing alike": ("from c.d import A\n", "container-missing", [1]),
}


@pytest.mark.parametrize(("source", "code", "lines"), IMPORTS.values(), ids=list(IMPORTS))
def test_imports_that_are_refused(source: str, code: str, lines: list[int]) -> None:
    with pytest.raises(Failed) as failed:
        add_import(source.encode(), "x.py", "a.b", "B")
    assert [problem.code for problem in failed.value.problems] == [code] * len(lines)
    assert [
        problem.location and problem.location.line for problem in failed.value.problems
    ] == lines


JSON: dict[str, tuple[str, str, list[int]]] = {
    "no list": ('{"rows": {}}', "container-missing", [1]),
    "no object": ("[]", "container-missing", [1]),
    "twice": ('{"rows": [],\n "rows": []}', "container-twice", [1, 2]),
    "a row twice": ('{"rows": [{"a": "z"},\n {"a": "z"}]}', "entry-twice", [1, 2]),
    "no JSON": ('{"rows": [\n{"a": z}]}', "unreadable-source", [2]),
    "cut off": ('{"rows": [{"a": 1}', "unreadable-source", [1]),
}


@pytest.mark.parametrize(("text", "code", "lines"), JSON.values(), ids=list(JSON))
def test_json_that_is_refused(text: str, code: str, lines: list[int]) -> None:
    with pytest.raises(Failed) as failed:
        add_rows(text.encode(), "x.json", "rows", ["a"], [{"a": "z"}])
    assert [problem.code for problem in failed.value.problems] == [code] * len(lines)
    assert [
        problem.location and problem.location.line for problem in failed.value.problems
    ] == lines


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no table\n", "container-missing"),
        ("| Path | Model |\n|---|---|\n", "container-missing"),
        (f"{TABLE}\n{TABLE}", "container-twice"),
        (TABLE.replace("a.py", "c.py").replace("b.py", "c.py"), "entry-twice"),
    ],
)
def test_tables_that_are_refused(text: str, code: str) -> None:
    with pytest.raises(Failed) as failed:
        add_table_row(text.encode(), "x.md", ("Path", "Model"), "c.py", ("c", "C"))
    assert {problem.code for problem in failed.value.problems} == {code}
