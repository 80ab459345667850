"""The door: one test per refusal, then places, then anything at all."""

from __future__ import annotations

import math
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptergen.error_codes import error_codes
from adaptergen.problems import MAX_FOUND, Failed, Problem, render
from adaptergen.source.read import read_source
from adaptergen.source.source import Source


def read(tmp_path: Path, content: str | bytes) -> Source:
    path = tmp_path / "x.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_source(path, "x.yaml")


def refused(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(Failed) as caught:
        read_source(path, "x.yaml")
    assert all(problem.code in error_codes() for problem in caught.value.problems)
    return caught.value.problems


def problems(tmp_path: Path, content: str | bytes) -> tuple[Problem, ...]:
    path = tmp_path / "x.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return refused(path)


def at(problem: Problem) -> tuple[int, int, int]:
    assert problem.location is not None
    return problem.location.line, problem.location.column, problem.location.length


# Files


def test_missing(tmp_path: Path) -> None:
    assert [p.code for p in refused(tmp_path / "no.yaml")] == ["no-such-file"]
    (tmp_path / "file").write_text("a: 1")
    assert [p.code for p in refused(tmp_path / "file" / "x")] == ["no-such-file"]


def test_folder(tmp_path: Path) -> None:
    (problem,) = refused(tmp_path)
    assert (problem.code, problem.message) == ("not-a-file", "this is a folder, not a file")
    assert at(problem) == (1, 1, 0)


def test_fifo_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = refused(tmp_path / "pipe")
    assert (problem.code, problem.message) == ("not-a-file", "this is a pipe, not a file")


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        (problem,) = refused(Path("s"))
    assert (problem.code, problem.message) == ("not-a-file", "this is a socket, not a file")


def test_device() -> None:
    (problem,) = refused(Path("/dev/zero"))
    assert (problem.code, problem.message) == ("not-a-file", "this is a device, not a file")


def test_swapped_for_a_pipe_between_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("a: 1")
    real = os.stat(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda *args, **more: real)
    assert [p.code for p in refused(tmp_path / "pipe")] == ["not-a-file"]


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_text("a: 1")
    monkeypatch.setattr(os, "open", no)
    (problem,) = refused(tmp_path / "x")
    assert problem.code == "unreadable-file"
    assert "Permission denied" in problem.message


@pytest.mark.parametrize("name", ["\0", "a" * 5000, "\ud800"])
def test_impossible_paths(name: str) -> None:
    assert refused(Path(name))[0].code in ("unreadable-file", "no-such-file")


def test_links(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a: 1")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert read_source(tmp_path / "link", "l").data == {"a": 1}
    assert refused(tmp_path / "loop")[0].code == "unreadable-file"


def test_size(tmp_path: Path) -> None:
    limit = 1024 * 1024
    assert read(tmp_path, "a: 1\n" + "#" * (limit - 5)).data == {"a": 1}
    assert problems(tmp_path, "a: 1\n" + "#" * (limit - 4))[0].code == "file-too-large"


# Text


def test_not_utf8(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"a: 1\nb\xc3\xa9: \xff\n")
    assert problem.code == "not-utf8"
    assert "0xff at offset 10" in problem.message
    assert at(problem)[:2] == (2, 5)
    assert problem.line_text == "bé: \\xff"


def test_not_utf8_after_a_bom(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, b"\xef\xbb\xbfa\xff")
    assert "0xff at offset 4" in problem.message
    assert at(problem)[:2] == (1, 2)


def test_utf16(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "a: 1".encode("utf-16"))
    assert "UTF-16" in problem.hint


def test_bom_is_tolerated(tmp_path: Path) -> None:
    source = read(tmp_path, b"\xef\xbb\xbfa: 1\n")
    assert source.data == {"a": 1}
    assert source.place(("a",)).column == 4


@pytest.mark.parametrize("char", [
    *"\0\x01\x07\x08\x0b\x0c\x1b\x1f\x7f\x80\x85\x9f\u061c\u200b\u200e\u200f\u2028\u2029",
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\uffff\U000e0041",
])  # fmt: skip
def test_hidden_characters(tmp_path: Path, char: str) -> None:
    (problem,) = problems(tmp_path, f"a: 1\r\nb: 2 # é{char}\n")
    assert problem.code == "hidden-character"
    assert at(problem) == (2, 9, 1)
    assert f"U+{ord(char):04X}" in problem.message
    assert char not in render([problem])


def test_hidden_characters_all_at_once_but_not_a_million(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "a: \x01\x02")) == 2
    assert len(problems(tmp_path, "a\x01\n" * 300)) == 300
    assert len(problems(tmp_path, "\x01" * 1_000_000)) == MAX_FOUND


@pytest.mark.parametrize("escape", [r"\u202e", r"\x1b", r"\0", r"\uD800", r"\N"])
def test_hidden_characters_by_escape(tmp_path: Path, escape: str) -> None:
    (problem,) = problems(tmp_path, f'a: "x{escape}"')
    assert problem.code == "hidden-character"
    assert at(problem)[:2] == (1, 4)


# YAML


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1\n", (1, 4)),
        ("a:\n\tb: 1\n", (2, 1)),
        ("a: b: c\n", (1, 5)),
        ('a: "b\n', (1, 4)),
        ("a: 1\n  b: 2\n", (2, 4)),
        ("a: @b\n", (1, 4)),
        ("!foo!bar x", (1, 1)),
        ('"\\UFFFFFFFF"', (1, 1)),
        ("%YAML 1\n---\na: 1\n", (1, 8)),
    ],
)
def test_syntax(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    (problem,) = problems(tmp_path, text)
    assert problem.code == "yaml-syntax"
    assert at(problem)[:2] == place
    assert problem.hint


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment\n", "---\n", "--- # c\n...\n"])
def test_empty(tmp_path: Path, text: str) -> None:
    assert [p.code for p in problems(tmp_path, text)] == ["empty-file"]


def test_duplicate_keys(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "a: 1\nb: {c: 1, 'c': 2}\na: 3\n")
    assert first.code == second.code == "duplicate-key"
    assert "`c`" in first.message and at(first) == (2, 11, 3)
    assert "line 1" in second.message and at(second) == (3, 1, 1)


def test_anchors_aliases_and_merge_keys(tmp_path: Path) -> None:
    found = problems(tmp_path, "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n")
    assert {p.code for p in found} == {"yaml-reuse"}
    assert [at(p)[:2] for p in found] == [(1, 4), (2, 4), (4, 3), (4, 7)]
    assert all("specs/shapes/" in p.hint for p in found)


def test_alias_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 100)]
    assert {p.code for p in problems(tmp_path, "\n".join(lines))} == {"yaml-reuse"}


def test_alias_as_key(tmp_path: Path) -> None:
    assert {p.code for p in problems(tmp_path, "*a : 1")} >= {"yaml-reuse"}


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system", "!foo", "!!str", "!"])
def test_tags(tmp_path: Path, tag: str) -> None:
    (problem,) = problems(tmp_path, f"a: {tag} [b]")
    assert problem.code == "yaml-tag"
    assert at(problem) == (1, 4, 1)


def test_documents(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "---\na: 1\n---\nb: 1\n")
    assert problem.code == "yaml-documents"
    assert at(problem) == (3, 1, 3)


@pytest.mark.parametrize("line", ["%YAML 1.1", "%TAG ! tag:x,1:", "%FOO bar"])
def test_directives(tmp_path: Path, line: str) -> None:
    (problem,) = problems(tmp_path, f"# c\n{line}\n---\na: 1\n")
    assert problem.code == "yaml-directive"
    assert at(problem) == (2, 1, len(line))


@pytest.mark.parametrize(
    "text", ["{}1: a{}", "{}yes: 1\n{}true: a", "{}null: a{}", "{}1.5: a{}", "{}? [a]\n: b{}"]
)
def test_keys_that_are_not_text(tmp_path: Path, text: str) -> None:
    (problem,) = problems(tmp_path, text.format("", ""))
    assert problem.code == "key-not-text"


def test_missing_key_text(tmp_path: Path) -> None:
    assert [p.code for p in problems(tmp_path, ": a")] == ["key-not-text"]
    assert read(tmp_path, '"1": a\n"": b\n').data == {"1": "a", "": "b"}


@pytest.mark.parametrize("number", [str(2**63), "9" * 10_000, "-" + "9" * 100, "0x" + "f" * 5000])
def test_numbers_too_large(tmp_path: Path, number: str) -> None:
    assert [p.code for p in problems(tmp_path, f"a: {number}")] == ["number-too-large"]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "[{a: ", "? "])
def test_too_deep(tmp_path: Path, opening: str) -> None:
    started = time.monotonic()
    found = problems(tmp_path, opening * 100_000)
    assert [p.code for p in found] == ["too-deep"]
    assert time.monotonic() - started < 10


def test_depth_64_is_fine(tmp_path: Path) -> None:
    assert read(tmp_path, "[" * 64 + "]" * 64).data
    assert [p.code for p in problems(tmp_path, "[" * 65 + "]" * 65)] == ["too-deep"]


def test_not_a_quarter_of_a_million(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "a: 1\n" * 301)) == 300
    assert len(problems(tmp_path, "a: 1\n" * 10_000)) == MAX_FOUND


def test_all_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "a: 1\na: !x 2\n3: &y z\nb: [\n")
    assert [p.code for p in found] == [
        "duplicate-key", "yaml-tag", "key-not-text", "yaml-reuse", "yaml-syntax",
    ]  # fmt: skip


# Values and places


@pytest.mark.parametrize(("text", "value"), [
    ("no", "no"), ("yes", "yes"), ("on", "on"), ("y", "y"), ("true", True), ("FALSE", False),
    ("null", None), ("~", None), ("''", ""), ("12", 12), ("+12", 12), ("-3", -3), ("010", 10),
    ("0o10", 8), ("0x1F", 31), ("0b1", "0b1"), ("1_000", "1_000"), ("1:30", "1:30"),
    ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("-.inf", float("-inf")), ("2024-01-01",
    "2024-01-01"), ("'12'", "12"), ('"true"', "true"), ("=", "="), ("<<", "<<"), ("4.3.0", "4.3.0"),
])  # fmt: skip
def test_core_schema(tmp_path: Path, text: str, value: Any) -> None:
    data = read(tmp_path, f"a: {text}").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


def test_not_a_number(tmp_path: Path) -> None:
    assert math.isnan(read(tmp_path, "a: .nan").data["a"])


def test_places(tmp_path: Path) -> None:
    source = read(tmp_path, (
        "spec: 1\n"
        "blocks:\n"
        "  - kind: moe\n"
        "    'heads':   [1, two]   # comment\n"
        "  - kind:\n"
        "text: |\n"
        "  one\n"
        "  two\n"
    ))  # fmt: skip

    def place(*loc: str | int, key: bool = False) -> tuple[int, int, int]:
        found = source.place(loc, key)
        assert found.path == "x.yaml"
        return found.line, found.column, found.length

    assert place() == (1, 1, 7)
    assert place("spec") == (1, 7, 1)
    assert place("spec", key=True) == (1, 1, 4)
    assert place("blocks") == (2, 1, 6)  # a block of lines: its key
    assert place("blocks", 0) == (3, 5, 9)
    assert place("blocks", 0, "heads") == (4, 16, 8)
    assert place("blocks", 0, "heads", 1) == (4, 20, 3)
    assert place("blocks", 0, "heads", key=True) == (4, 5, 7)
    assert place("blocks", 1, "kind") == (5, 5, 4)  # empty: its key
    assert place("blocks", 0, "moe", "heads", 1) == (4, 20, 3)  # the tag of a union
    assert place("blocks", 0, "nothing") == place("blocks", 0)
    assert place("blocks", 7, "kind") == (2, 1, 6)
    assert place("text") == (6, 7, 1)


def test_a_problem_of_a_source(tmp_path: Path) -> None:
    source = read(tmp_path, "a:\n  b: 1\n")
    problem = source.problem("bad-value", "m", "h", ("a", "b"))
    assert (at(problem), problem.line_text) == ((2, 6, 1), "  b: 1")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    source = read(tmp_path, f"a: 1{end}b: 2{end}")
    assert source.place(("b",)).line == 2
    assert source.lines == ("a: 1", "b: 2", "")


# Anything


def outcome(tmp_path: Path, content: bytes) -> None:
    try:
        source = read(tmp_path, content)
    except Failed as failed:
        assert failed.problems
        assert all(p.code in error_codes() and p.location and p.hint for p in failed.problems)
        render(failed.problems)
    else:
        walk(source, source.data, ())


def walk(source: Source, data: Any, loc: tuple[str | int, ...]) -> None:
    for key in (False, True):
        place = source.place(loc, key)
        line = source.lines[place.line - 1]
        assert 1 <= place.column <= len(line) + 1
        assert place.column - 1 + place.length <= len(line)
    if isinstance(data, (dict, list)):
        for part in data if isinstance(data, dict) else range(len(data)):
            walk(source, data[part], (*loc, part))


ANY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
PIECES = st.sampled_from([
    "a", "b: ", "- ", "? ", ": ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", "'", '"', "|\n",
    ">-\n", "&x ", "*x", "!t ", "<<: ", "# c", "---\n", "...\n", "%YAML 1.2\n", "\t", "1", "1.5e9",
    "~", "true", "\\", "\\u", "\\x", "\\UFFFFFFFF", "é", "漢", " ", "\r", "\u2028", "0x", "=",
])  # fmt: skip


@ANY
@given(st.binary())
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    outcome(tmp_path, content)


@ANY
@given(st.text(st.characters(codec="utf-8")))
def test_any_text(tmp_path: Path, text: str) -> None:
    outcome(tmp_path, text.encode())


@settings(ANY, max_examples=400)
@given(st.lists(PIECES, max_size=25).map("".join))
def test_anything_like_yaml(tmp_path: Path, text: str) -> None:
    outcome(tmp_path, text.encode())
