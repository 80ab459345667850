"""The edit engine on random containers: what it adds, and that nothing else is touched."""

from __future__ import annotations

import ast
import io
import keyword
import tokenize
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adaptergen.edit.entries import Entry, add, remove, replace
from adaptergen.edit.imports import add_import
from adaptergen.problems import Failed

MANY = settings(
    max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
SOME = settings(MANY, max_examples=300)

#: What is in names and strings: brackets, quotes, what opens comments, letters of many scripts.
ALPHABET = "aAbBzZ09_ ()[]{},:#'\"\\\t\x0cäßİλ中🙂"
names = st.text(ALPHABET, min_size=1, max_size=8)
plain = st.text("ABCDEFabcdef0123456789_", min_size=1, max_size=8)
VALUES = (
    "1", "None", "x.y", "[1, (2, {3: ','})]", "f(a, b=[1])", "'a, b]'", '"""#\n],"""', "{*a, 'b'}",
    "lambda a, b=(1, 2): [a, b]", "f'{a}, {{'", "(1)", "('a'\n    'b')", "[i for i in (1, 2)]",
)  # fmt: skip
PARTS = {"list": "[]", "set": "{}", "dict": "{}", "tuple": "()"}


@dataclass(frozen=True)
class Case:
    """A file with one container, and what is put into it."""

    source: str
    kind: str
    names: tuple[str, ...]
    entry: Entry

    @property
    def data(self) -> bytes:
        return self.source.encode()


@st.composite
def literals(draw: st.DrawFn, name: str) -> str:
    """One of the ways to write a string."""
    forms = [repr(name), ascii(name), f"({name!r})", f"( {name!r}  )"]
    if not set(name) & set("\\\n\"'"):
        forms += [f'"{name}"', f"r'{name}'", f"'''{name}'''"]
    if len(name) > 1:
        forms.append(f"{name[:1]!r} {name[1:]!r}")
    return draw(st.sampled_from(forms))


BLANKS = ["", "", " ", "  ", "\t", "\x0c "]
REMARKS = ["", "# a, b]", "#{ é'", '# """']
ENDS = [f"{blank}{remark}\n{indent}" for blank in BLANKS for remark in REMARKS
        for indent in ("", "    ", "\t")]  # fmt: skip


def gaps(lines: bool) -> st.SearchStrategy[str]:
    """White space between two tokens, in brackets."""
    return st.sampled_from([*BLANKS * 6, *ENDS, *map("".join, zip(ENDS, ENDS[7:], strict=False))]
                           if lines else BLANKS)  # fmt: skip


@st.composite
def containers(draw: st.DrawFn, kind: str | None = None) -> Case:
    """A container in a file, in any form that Python takes."""
    kind = kind or draw(st.sampled_from(sorted(PARTS)))
    lines = draw(st.booleans())
    tidy = lines and draw(st.booleans())
    least = 1 if kind == "set" else 0
    words = draw(
        st.lists(draw(st.sampled_from([names, plain])), min_size=least, max_size=9, unique=True)
    )
    if draw(st.booleans()):
        words.sort(key=draw(st.sampled_from([str.casefold, str])))
    items = []
    for word in words:
        item = draw(literals(word))
        if kind == "dict":
            value = draw(st.sampled_from(VALUES))
            item += f"{draw(gaps(lines))}:{draw(gaps(lines))}{value}"
        items.append(item)
    if kind == "dict" and draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), "**other")
    comma = bool(items) and (draw(st.booleans()) or (kind == "tuple" and len(items) == 1))
    if tidy:
        middle = "".join(
            draw(st.sampled_from(["", "    # group\n", "\n"]))
            + f"    {item}{',' if comma or number < len(items) - 1 else ''}"
            + draw(st.sampled_from(["", "  # , ]"])) + "\n"
            for number, item in enumerate(items)
        )  # fmt: skip
        inside = f"\n{middle}"
    else:
        inside = ",".join(f"{draw(gaps(lines))}{item}{draw(gaps(lines))}" for item in items)
        inside += ("," if comma else "") + draw(gaps(lines))
    opening, closing = PARTS[kind]
    head = draw(st.sampled_from(["", '"""X = [1]"""\n', "é = 'ü'; ", "import x\n\n\n"]))
    note = "" if ";" in head else draw(st.sampled_from(["", ": object", ": dict[str, 'a']"]))
    tail = draw(st.sampled_from(["", "\n", "  # end\n", "\n\n\ndef f(X):\n    X = {}\n"]))
    source = f"{head}X{note} = {opening}{inside}{closing}{tail}"
    if draw(st.booleans()):
        source = source.replace("\n", "\r\n")
    if draw(st.integers(0, 9)) == 9:
        source = "\ufeff" + source
    new = draw(names | plain | st.sampled_from(words or ["n"]))
    value = draw(st.sampled_from(["Adapter", "'text, [with] #'", "['a', \"b'\"]"]))
    heading = draw(st.booleans())
    under = draw(st.sampled_from(["", "group", "other"]))
    site = {"tuple": "list"}.get(kind, kind)
    entry = Entry("X", site, new, value if kind == "dict" else "", under, heading and bool(under))
    return Case(source, kind, tuple(words), entry)


def contents(data: bytes) -> list[tuple[str, str]]:
    """Name and value of every item of X, by a reading that is not the engine's."""
    text = data.decode().removeprefix("\ufeff")
    for node in ast.parse(text).body:
        target = getattr(node, "targets", [getattr(node, "target", None)])[0]
        if isinstance(target, ast.Name) and target.id == "X":
            value = node.value
            if isinstance(value, ast.Dict):
                return [
                    (ast.unparse(key) if key else "**", ast.dump(item))
                    for key, item in zip(value.keys, value.values, strict=True)
                ]
            return [(ast.unparse(item), "") for item in value.elts]
    raise AssertionError("there is no X")


def remarks(data: bytes) -> list[str]:
    text = data.decode().removeprefix("\ufeff").replace("\r\n", "\n")
    found = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in found if token.type == tokenize.COMMENT]


def is_one_insertion(old: bytes, new: bytes) -> bool:
    """Whether `new` is `old` with one stretch of text inserted."""
    more = len(new) - len(old)
    same = next((n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]),
                len(old))  # fmt: skip
    return more > 0 and old[same:] == new[same + more :]


def only_inserted(old: bytes, new: bytes) -> bool:
    """One stretch, or a comma behind the last item and one stretch."""
    if is_one_insertion(old, new):
        return True
    commas = [n for n in range(len(new)) if new[n : n + 1] == b"," and new[:n] == old[:n]]
    return any(is_one_insertion(old, new[:n] + new[n + 1 :]) for n in commas)


@MANY
@given(containers())
def test_an_entry_more_and_every_other_byte_as_it_was(case: Case) -> None:
    wanted = repr(case.entry.name)
    before = contents(case.data)
    if case.entry.name in case.names:
        value = ast.dump(ast.parse(case.entry.value or "0", mode="eval").body)
        if case.kind == "dict" and (wanted, value) not in before:
            with pytest.raises(Failed) as failed:
                add(case.data, "x.py", case.entry)
            assert [problem.code for problem in failed.value.problems] == ["entry-differs"]
        else:
            assert add(case.data, "x.py", case.entry) == case.data
        return
    made = add(case.data, "x.py", case.entry)
    after = contents(made)
    (number,) = [n for n, (name, _) in enumerate(after) if name == wanted]
    assert after[:number] + after[number + 1 :] == before
    if case.kind == "dict":
        assert after[number][1] == ast.dump(ast.parse(case.entry.value, mode="eval").body)
    assert only_inserted(case.data, made)
    extra = remarks(made)
    for remark in remarks(case.data):
        extra.remove(remark)
    assert extra in ([], [f"# {case.entry.under}"])
    assert made.count(b"\r\n") == made.count(b"\n") if b"\r\n" in case.data else b"\r" not in made
    assert add(made, "x.py", case.entry) == made


@SOME
@given(containers())
def test_what_is_removed_is_what_goes(case: Case) -> None:
    if case.entry.name not in case.names:
        return
    before = contents(case.data)
    if case.kind == "set" and len(before) == 1:
        return
    after = contents(remove(case.data, "x.py", case.entry))
    number = [name for name, _ in before].index(repr(case.entry.name))
    assert after == before[:number] + before[number + 1 :]


@SOME
@given(containers("dict"))
def test_a_value_is_replaced(case: Case) -> None:
    made = replace(case.data, "x.py", case.entry)
    value = ast.dump(ast.parse(case.entry.value, mode="eval").body)
    assert (repr(case.entry.name), value) in contents(made)
    names_before = [name for name, _ in contents(case.data)]
    names_after = [name for name, _ in contents(made)]
    assert set(names_after) == {*names_before, repr(case.entry.name)}
    assert replace(made, "x.py", case.entry) == made


identifiers = st.text("ABab09_", min_size=1, max_size=6).filter(
    lambda text: text.isidentifier() and not keyword.iskeyword(text)
)


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A file with an import of some names, in any form."""
    found = draw(st.lists(identifiers, min_size=1, max_size=8, unique=True))
    if draw(st.booleans()):
        found.sort(key=str.casefold)
    form = draw(st.sampled_from(["plain", "bracketed", "lines"]))
    if form == "plain":
        written = ", ".join(found)
    elif form == "bracketed":
        written = f"({', '.join(found)}{draw(st.sampled_from(['', ',', ', ']))})"
    else:
        written = "(\n" + "".join(f"    {name},\n" for name in found) + ")"
    tail = draw(st.sampled_from(["", "  # noqa", "\n\nX = (1,)\n"]))
    return f"import os\n\nfrom p.q import {written}{tail}", found


@SOME
@given(statements(), identifiers)
def test_a_name_more_is_imported(case: tuple[str, list[str]], name: str) -> None:
    source, found = case
    made = add_import(source.encode(), "x.py", "p.q", name)
    tree = ast.parse(made)
    imported = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom)
                for alias in node.names]  # fmt: skip
    if name in found:
        assert made == source.encode()
        return
    assert [other for other in imported if other != name] == found
    assert imported.count(name) == 1
    assert only_inserted(source.encode(), made)
    assert add_import(made, "x.py", "p.q", name) == made
