"""No text that a spec may have means something to a tool, and all of it is there to read."""

from __future__ import annotations

from pathlib import Path

import isort
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("docutils", reason="docutils reads the docstrings")
pytest.importorskip("markdown_it", reason="markdown-it reads the pages")
pytest.importorskip("mypy", reason="mypy reads the comments")

from text_tools import of_docstring, of_markdown, of_python, types_checked

from adaptergen.problems import SpecValueError
from adaptergen.prose import comment, docstring, markdown
from adaptergen.render.templates import format_python
from adaptergen.spec.values import check_text, check_title

LIKELY = (
    "a the of, (one) d_head 5.17. heads' 50% 2*d [x] [1]_ x_ _x __ _ * ** *a b* | |a| || . .. ... "
    ":: : :a: a:: Args: Note: See Also: include:: >>> > -> - -- --- + = === ~~~ ^^^ # #1 #: #! %% "
    "type: ignore fmt off mypy coding: utf-7 import os from 1. 1) (1) i. a. #. @me o/r#1 "
    "GH-1 (gh-2) Fixes closes ! ![a](b) [a](b) http://a.b www.a.b a@b.c &amp; & $x$ :smile: ~~a~~ "
    "• – — … ‘a’ é 漢字 1 . /V -a --all / // '' ' %s %(x)s !! ? ?? ,"
)
WORDS = st.sampled_from(LIKELY.split()) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=4
)


def taken(text: str) -> bool:
    try:
        return bool(check_text(text))
    except SpecValueError:
        return False


#: Some have words that fill a line, so that any other may be at the start of one.
TEXTS = st.lists(WORDS | st.just("w" * 94), min_size=1, max_size=40).map(" ".join).filter(taken)


@settings(deadline=None)
@given(TEXTS)
@example("- item")
@example("Keyword Args:")
@example("w" * 99 + " >>> 1/0")
def test_a_text_is_a_paragraph_with_all_its_words(text: str) -> None:
    assert of_docstring(docstring(text)) == ["document", "paragraph"]
    assert of_markdown(markdown(text)) == ["paragraph_open", "inline", "paragraph_close"]
    assert of_markdown(f"- {markdown(text)}").count("bullet_list_open") == 1
    for written in (docstring(text), " ".join(comment(text)), markdown(text)):
        assert written.replace("`", "").split() == text.split()


def test_formatters_and_checkers_find_as_much_as_without_the_texts(tmp_path: Path) -> None:
    texts: list[str] = []

    # One run of each tool over all of them; another seed each time.
    @settings(max_examples=120, database=None)
    @given(TEXTS)
    def gather(text: str) -> None:
        texts.append(text)

    gather()
    parts = ["import sys\nimport os\n"]
    for number, text in enumerate(texts):
        lines = "".join(f"    # {line}\n" for line in comment(text))
        body = f'    """{docstring(text)}\n    """\n{lines}    x: int = "text"\n    return  [ x ]'
        parts.append(f"def f{number}() -> list[int] :\n{body}\n")
    source = "\n".join(["".join(f"# {line}\n" for line in comment(texts[0])), *parts])
    assert isort.code(source, profile="black").index("import os") < source.index("import os")
    formatted = format_python(source)
    assert formatted.count("    return [x]\n") == len(texts)
    assert format_python(formatted) == formatted
    assert [*{*map(len, of_python(formatted)[1])}] == [2]
    types_checked(tmp_path / "checked", {"texts": formatted}, mistakes=len(texts))


@given(st.lists(WORDS, min_size=1, max_size=2).map(" ".join))
def test_a_title_is_written_as_it_is(text: str) -> None:
    try:
        title = check_title(text)
    except SpecValueError:
        return
    assert [title] == comment(title) == [docstring(title)] == [markdown(title)]


def test_what_is_plain_stays_as_it_is() -> None:
    text = (
        "Hybrid decoder of Mamba-2, attention (grouped-query) and MLP layers; a mixer's d_head -> "
        "d_model, 50% of q/k/v. It's 2 + 2 = 4, e.g. note: this."
    )
    assert markdown(text) == text
    assert docstring(text).replace("\n", " ") == text
    assert all(len(line) <= 99 for line in docstring(text).split("\n"))


def test_what_is_not_plain_is_code() -> None:
    assert markdown("See #1, (@me) and a|b.") == "See `#1`, `(@me)` and `a|b`."
    assert docstring(f"{'w' * 99} >>> 1") == f"{'w' * 99}\n``>>>`` 1"
    assert comment("type: ignore") == ["`type:` ignore"]
    assert markdown("what a `tool` says") == "what a `` `tool` `` says"
