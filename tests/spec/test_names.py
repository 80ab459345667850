"""Names: what is taken, what is refused and with which code, and that the JSON Schema agrees."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from adaptergen.error_codes import error_codes
from adaptergen.problems import SpecValueError
from adaptergen.spec import values

GOOD = {
    "Identifier": ["a", "_a", "A_log", "x1", "a" * 80, "types", "class_"],
    "ModuleName": ["nemotron_h", "gpt2", "a", "glm4_moe", "class_a"],
    "ClassName": ["NemotronHForCausalLM", "GPT2", "A"],
    "AttributePath": ["model.layers", "lm_head", "backbone.norm_f"],
    "HookName": ["attn.hook_q", "hook_in"],
    "HubId": ["nvidia/Nemotron-H-8B-Base-8K", "a/b", "hf-internal-testing/tiny_x", "_a/b_"],
    "Version": ["4.3.0", "0.0.1", "10.20.30"],
    "HubOwner": ["nvidia", "deepseek-ai", "_a.b_"],
    "Text": ["the router's bias", "a -> b, 50% #1 (x) | $y", "é 漢字", "x", "# a", "Vim mode: on"],
    "Title": ["Mamba-2", "dots.llm1", "gated MLP, each behind a norm", "OLMo 2 (7B)", "é", "q/k"],
}

BAD = [
    ("Identifier", "gate-proj", "bad-identifier"),
    ("Identifier", "1a", "bad-identifier"),
    ("Identifier", "", "bad-identifier"),
    ("Identifier", "a b", "bad-identifier"),
    ("Identifier", "é", "bad-identifier"),
    ("Identifier", "ﬁ", "bad-identifier"),
    ("Identifier", "a\n", "bad-identifier"),
    ("Identifier", "../x", "bad-identifier"),
    ("Identifier", "x;import os", "bad-identifier"),
    ("Identifier", "class", "reserved-name"),
    ("Identifier", "None", "reserved-name"),
    ("Identifier", "match", "reserved-name"),
    ("Identifier", "type", "reserved-name"),
    ("Identifier", "_", "reserved-name"),
    ("Identifier", "__init__", "reserved-name"),
    ("Identifier", "__mangled", "reserved-name"),
    ("Identifier", "a" * 81, "name-too-long"),
    ("ModuleName", "NemotronH", "bad-module-name"),
    ("ModuleName", "a__b", "bad-module-name"),
    ("ModuleName", "_a", "bad-module-name"),
    ("ModuleName", "../a", "bad-module-name"),
    ("ModuleName", "a\n", "bad-module-name"),
    ("ModuleName", "import", "reserved-name"),
    ("ModuleName", "a" * 81, "name-too-long"),
    ("ClassName", "nemotron_h", "bad-class-name"),
    ("ClassName", "A_b", "bad-class-name"),
    ("ClassName", "True", "reserved-name"),
    ("ClassName", "A" * 81, "name-too-long"),
    ("AttributePath", "model/layers", "bad-path"),
    ("AttributePath", "model..layers", "bad-path"),
    ("AttributePath", ".model", "bad-path"),
    ("AttributePath", "model.layers[0]", "bad-path"),
    ("AttributePath", "", "bad-path"),
    ("AttributePath", "model.__class__", "reserved-name"),
    ("AttributePath", "model.if.x", "reserved-name"),
    ("AttributePath", "a." * 100 + "a", "name-too-long"),
    ("AttributePath", "a." + "b" * 81, "name-too-long"),
    ("HookName", "hook in", "bad-path"),
    ("HubId", "gpt2", "bad-hub-id"),
    ("HubId", "https://huggingface.co/a/b", "bad-hub-id"),
    ("HubId", "a/b/c", "bad-hub-id"),
    ("HubId", "a/..", "bad-hub-id"),
    ("HubId", "a/b--c", "bad-hub-id"),
    ("HubId", "a/b.git", "bad-hub-id"),
    ("HubId", "a/" + "b" * 97, "bad-hub-id"),
    ("HubId", "/b", "bad-hub-id"),
    ("Version", "4.3", "bad-version"),
    ("Version", "v4.3.0", "bad-version"),
    ("Version", "4.03.0", "bad-version"),
    ("Version", "4.3.0\n", "bad-version"),
    ("Version", "٤.3.0", "bad-version"),
    *(("Text", f"a{char}b", "bad-text") for char in '"`\\<{}\t\n\r\x1b\u202e\u2028\ud800'),
    ("Text", "", "bad-text"),
    ("Text", " a", "bad-text"),
    ("Text", "a ", "bad-text"),
    ("Text", "a" * 401, "text-too-long"),
    *(
        ("Text", text, "bad-text")
        for text in (
            "isort:skip_file",
            "it says isort: skip",
            "fmt: off",
            "a # fmt:skip",
            "pylint: disable=all",
            "mypy: ignore-errors",
            "# flake8: noqa",
            "so noqa",
            "Pragma no cover",
            "vim: set et:",
            "a ex: set et:",
            "local variables:",
        )
    ),
    *(
        ("Title", text, "bad-text")
        for text in (
            "a #1",
            "@a",
            "a:",
            "1. a",
            "a) b",
            "GH-1",
            "see www.a",
            "a  b",
            "a_",
            "*a*",
            "- a",
            "a|b",
            "Fixes #1",
            "a!",
            "noqa",
        )
    ),
    ("Title", "a" * 81, "text-too-long"),
    ("HubOwner", "a/b", "bad-hub-id"),
    ("HubOwner", "a--b", "bad-hub-id"),
    ("HubOwner", "a b", "bad-hub-id"),
    ("HubOwner", "a" * 97, "bad-hub-id"),
    ("HubOwner", "@a", "bad-hub-id"),
]


def adapter(name: str) -> TypeAdapter[str]:
    return TypeAdapter(getattr(values, name))


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in GOOD.items() for t in texts])
def test_taken(name: str, text: str) -> None:
    assert adapter(name).validate_python(text) == text
    schema = adapter(name).json_schema()
    assert re.search(schema["pattern"], text) and len(text) <= schema["maxLength"]


@pytest.mark.parametrize(("name", "text", "code"), BAD)
def test_refused(name: str, text: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter(name).validate_python(text)
    (error,) = caught.value.errors()
    cause = error["ctx"]["error"]
    assert isinstance(cause, SpecValueError)
    assert cause.code == code
    assert cause.message and cause.hint


@pytest.mark.parametrize(("name", "text", "better"), [
    ("Identifier", "gate-proj", "gate_proj"),
    ("ModuleName", "NemotronH", "nemotron_h"),
    ("ModuleName", "glm4-moe", "glm4_moe"),
    ("ClassName", "nemotron_h", "NemotronH"),
])  # fmt: skip
def test_hints(name: str, text: str, better: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adapter(name).validate_python(text)
    assert caught.value.errors()[0]["ctx"]["error"].hint == f"did you mean `{better}`?"


def _taken(name: str, text: str) -> bool:
    try:
        adapter(name).validate_python(text)
    except ValidationError as error:
        assert all(e["ctx"]["error"].code in error_codes() for e in error.errors())
        return False
    return True


LIKELY = st.text("abAB01_.-/ \"'{}é", max_size=8) | st.sampled_from(sorted(values.RESERVED))


@given(st.sampled_from(sorted(GOOD)), LIKELY | st.text(st.characters(codec="utf-8"), max_size=6))
def test_what_is_taken_fits_the_json_schema(name: str, text: str) -> None:
    schema: dict[str, Any] = adapter(name).json_schema()
    if _taken(name, text):
        assert re.search(schema["pattern"], text)


@given(
    st.sampled_from(["Identifier", "ModuleName", "ClassName", "AttributePath", "Version"]), LIKELY
)
def test_what_fits_the_json_schema_is_taken(name: str, text: str) -> None:
    assert _taken(name, text) == bool(re.search(adapter(name).json_schema()["pattern"], text))


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_is_safe_in_a_docstring(text: str) -> None:
    if _taken("Text", text):
        scope: dict[str, Any] = {}
        exec(f'def f():\n    """{text}"""\n    # {text}\n', scope)
        assert scope["f"].__doc__ == text
