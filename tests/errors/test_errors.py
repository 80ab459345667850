"""Every mistake that a spec can have, and what is said of it, word by word.

`ADAPTERGEN_UPDATE=1 pytest tests/errors` writes what is said now into the cases; look at it with
`git diff` before committing.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from casefile import FOLDER, Case, Edit, read, with_results

from adaptergen.cli.build_cache import output_trees
from adaptergen.cli.drift import between_entries
from adaptergen.error_codes import error_codes
from adaptergen.problems import Failed, render
from adaptergen.spec.load import load_shape

BASE = Path(__file__).parent / "base"
FILES = sorted(FOLDER.glob("*.txt"))
CASES = [case for path in FILES for case in read(path)]
UPDATE = bool(os.environ.get("ADAPTERGEN_UPDATE"))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.as_posix())


#: What a file can be instead of a file.
KINDS: dict[str, Callable[[Path], None]] = {
    "folder": Path.mkdir,
    "socket": _socket,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/null"),
    "link to elsewhere": lambda path: path.symlink_to(Path(__file__).with_name("casefile.py")),
    "link to itself": lambda path: path.symlink_to(path.name),
    "missing file": lambda path: None,
    "secret": lambda path: path.touch(0),
    "copy of specs": lambda path: shutil.copytree("specs", path) and None,
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the small spec, which is the working directory."""
    shutil.copytree(BASE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    load_shape.cache_clear()
    return tmp_path


def apply(edit: Edit, project: Path) -> None:
    path = project / edit.file
    if edit.how == "edit":
        text = path.read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.old!r} is not in {edit.file} just once"
        path.write_text(text.replace(edit.old, edit.new), "utf-8")
        return
    path.unlink(missing_ok=True)
    if edit.how == "text":
        path.write_text(edit.new, "utf-8")
    elif edit.how == "bytes":
        path.write_bytes(eval(compile(edit.new.strip(), edit.file, "eval"), {"__builtins__": {}}))
    else:
        KINDS[edit.how.removeprefix("a ")](path)


def said(case: Case, project: Path) -> str:
    """What comes out; every case is about a mistake, so something does."""
    for edit in case.edits:
        apply(edit, project)
    with pytest.raises(Failed) as caught:
        for path in map(Path, case.build if case.drift else ()):
            between_entries(path, *case.drift)
        output_trees([Path(path) for path in case.build])
    return render(caught.value.problems)


def test_the_base_is_fine(project: Path) -> None:
    assert output_trees([Path("specs/small.yaml")])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case, project: Path) -> None:
    if any(edit.how == "a secret" for edit in case.edits) and os.geteuid() == 0:
        pytest.skip("root reads everything")
    shown = said(case, project)
    if UPDATE:
        case.shows = shown
        return
    assert f"error[{case.code}]" in shown
    assert shown == case.shows


@pytest.fixture(autouse=True, scope="module")
def update() -> object:
    """Write what was said into the cases, after all of them."""
    yield
    for path in FILES if UPDATE else ():
        cases = [case for case in CASES if case.code == path.stem]
        path.write_text(with_results(path, [case.shows or "" for case in cases]), "utf-8")


def test_every_code_has_a_case() -> None:
    # What keeps a model from being observed, and what is wrong with a checkout or a package, is
    # tried on one: tests/inspect, edit, export, audit, plugin.
    elsewhere = {
        *error_codes("Models of transformers"),
        *error_codes("Checkouts of TransformerLens"),
        *error_codes("Registries of TransformerLens"),
        *error_codes("Packages"),
        *error_codes("Updates of specs"),
    }
    assert {case.code for case in CASES} == set(error_codes()) - elsewhere


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_said_says_where_why_and_how_to_mend_it(case: Case) -> None:
    assert case.shows
    for block in case.shows.split("\n\n"):
        first, *rest = block.splitlines()
        assert re.match(r"[\w./-]+:\d+:\d+: error\[[a-z0-9-]+\]: \S", first)
        assert rest[-1].startswith("      = hint: ")
        if len(rest) > 1:
            text, caret = rest[:2]
            assert caret.strip(" |").strip("^") == "" and "^" in caret
            assert caret.index("^") <= max(len(text), len("    1 | "))


def test_all_codes_are_used_in_the_code_of_adaptergen() -> None:
    package = Path(__file__).parents[2] / "adaptergen"
    strings: set[str] = set()
    for path in package.rglob("*.py"):
        if not path.name.endswith("codes.py"):
            nodes = ast.walk(ast.parse(path.read_text("utf-8")))
            strings |= {node.value for node in nodes if isinstance(node, ast.Constant)
                        and isinstance(node.value, str)}  # fmt: skip
    assert set(error_codes()) <= strings


def test_two_specs_give_the_problems_of_both(project: Path) -> None:
    text = Path("specs/small.yaml").read_text("utf-8")
    other = text.replace("module: small", "module: other").replace("shape: mixer", "shape: mixr")
    Path("specs/other.yaml").write_text(other, "utf-8")
    Path("specs/small.yaml").write_text(text.replace("name: Small", "name: small"), "utf-8")
    with pytest.raises(Failed) as caught:
        output_trees([Path("specs/small.yaml"), Path("specs/other.yaml")])
    assert [(str(p.location and p.location.path), p.code) for p in caught.value.problems] == [
        ("specs/other.yaml", "unknown-shape"),
        ("specs/small.yaml", "bad-class-name"),
    ]


def test_a_shape_of_two_specs_is_complained_of_once(project: Path) -> None:
    text = Path("specs/small.yaml").read_text("utf-8")
    Path("specs/other.yaml").write_text(text.replace("module: small", "module: other"), "utf-8")
    Path("specs/shapes/block.yaml").write_text("shape: 1\ntitle: x\n", "utf-8")
    with pytest.raises(Failed) as caught:
        output_trees([Path("specs/small.yaml"), Path("specs/other.yaml")])
    assert [problem.code for problem in caught.value.problems] == ["missing-key"]


def test_what_only_the_uses_of_a_shape_show_is_told_once(project: Path) -> None:
    """The same mistake met by other ways: another alias at hand, another way into a circle."""
    small, plain = Path("specs/small.yaml"), Path("specs/shapes/plain.yaml")
    text = small.read_text("utf-8")
    other = text.replace("module: small", "module: other").replace("up: {shape", "down: {shape")
    Path("specs/other.yaml").write_text(other, "utf-8")
    shape = plain.read_text("utf-8") + "aliases: {hook_pre: nowhere.hook_out}\n"
    plain.write_text(shape, "utf-8")
    mixer = Path("specs/shapes/mixer.yaml")
    mixer.write_text(mixer.read_text("utf-8") + "  around: {shape: mixer, path: x}\n", "utf-8")
    with pytest.raises(Failed) as caught:
        output_trees([small, Path("specs/other.yaml")])
    assert [(str(p.location and p.location.path), p.code) for p in caught.value.problems] == [
        ("specs/shapes/mixer.yaml", "shape-cycle"),
        ("specs/shapes/plain.yaml", "unknown-hook"),
    ]


def test_problems_are_told_in_order_of_file_and_line(project: Path) -> None:
    small, shape = Path("specs/small.yaml"), Path("specs/shapes/block.yaml")
    text = small.read_text("utf-8").replace("n_groups, ssm", "n-groups, ssm")
    small.write_text(text.replace("hook_mixer_in", "hook_mixer_inn"), "utf-8")
    shape.write_text(shape.read_text("utf-8").replace("config: true", "config: yes"), "utf-8")
    with pytest.raises(Failed) as caught:
        output_trees([small])
    places = [problem.location for problem in caught.value.problems if problem.location]
    assert [(place.path, place.line) for place in places] == [
        ("specs/shapes/block.yaml", 4),
        ("specs/small.yaml", 13),
        ("specs/small.yaml", 43),
    ]
