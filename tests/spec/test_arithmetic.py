"""Arithmetic: the same number as Python, the same tree again, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from adaptergen.error_codes import error_codes
from adaptergen.problems import SpecValueError
from adaptergen.spec.arithmetic import (
    MAX_LENGTH,
    Arithmetic,
    Binary,
    Expression,
    Name,
    Number,
    Term,
    parse,
)  # fmt: skip

BAD = [
    ("a ** 2", "arithmetic-operator"),
    ("a / b", "arithmetic-operator"),
    ("a % b", "arithmetic-operator"),
    ("a @ b", "arithmetic-operator"),
    ("a << b", "arithmetic-operator"),
    ("a & b", "arithmetic-operator"),
    ("a < b", "arithmetic-operator"),
    ("-a", "arithmetic-operator"),
    ("a + -b", "arithmetic-operator"),
    ("+a", "arithmetic-operator"),
    ("not a", "arithmetic-operator"),
    ("a and b", "arithmetic-operator"),
    ("a if b else c", "arithmetic-operator"),
    ("f(a)", "arithmetic-operator"),
    ("a()", "arithmetic-operator"),
    ("()", "arithmetic-operator"),
    ("(yield)", "arithmetic-operator"),
    ("True", "arithmetic-operator"),
    ("None", "arithmetic-operator"),
    ("a.b", "arithmetic-operator"),
    ("a[0]", "arithmetic-operator"),
    ("a, b", "arithmetic-operator"),
    ("'a'", "arithmetic-operator"),
    ("a := 1", "arithmetic-operator"),
    ("a\n+ b", "arithmetic-operator"),
    ("a # b", "arithmetic-operator"),
    ("é", "arithmetic-operator"),
    ("a\x00", "arithmetic-operator"),
    ("1.5", "arithmetic-operator"),
    ("1e5", "arithmetic-number"),
    ("1j", "arithmetic-number"),
    ("0x10", "arithmetic-number"),
    ("1_000", "arithmetic-number"),
    ("007", "arithmetic-number"),
    ("1if a else 2", "arithmetic-number"),
    (str(2**63), "arithmetic-number"),
    ("9" * 200, "arithmetic-number"),
    ("", "arithmetic-syntax"),
    ("  ", "arithmetic-syntax"),
    ("a +", "arithmetic-syntax"),
    ("(a", "arithmetic-syntax"),
    ("a)", "arithmetic-syntax"),
    ("a b", "arithmetic-syntax"),
    ("a /// b", "arithmetic-syntax"),
    ("lambda", "arithmetic-syntax"),
    ("if + 1", "arithmetic-syntax"),
    ("a" * 201, "arithmetic-too-long"),
    ("(" * 17 + "a" + ")" * 17, "arithmetic-too-long"),
    ("(" * 200, "arithmetic-too-long"),
    ("a" * 100, "name-too-long"),
    ("__import__", "reserved-name"),
    ("match + 1", "reserved-name"),
]


@pytest.mark.parametrize(("text", "code"), BAD)
@pytest.mark.filterwarnings("error")
def test_refused(text: str, code: str) -> None:
    with pytest.raises(SpecValueError) as caught:
        parse(text)
    assert caught.value.code == code
    assert caught.value.message and caught.value.hint


@pytest.mark.parametrize(("text", "sign"), [
    ("a ** 2", "`**`"), ("a / b", "`/`"), ("a % b", "`%`"), ("-a", "`-`"), ("f(a)", "`f(a)`"),
])  # fmt: skip
def test_a_refusal_names_the_operator_and_what_is_allowed(text: str, sign: str) -> None:
    with pytest.raises(SpecValueError) as caught:
        parse(text)
    assert sign in caught.value.message
    assert "`//`" in caught.value.hint and "parentheses" in caught.value.hint


def test_names_in_order() -> None:
    assert parse("b * (a + b) // c - 2").names == ("b", "a", "c")


@pytest.mark.parametrize(("text", "rendered"), [
    ("((a))", "a"),
    ("(a+b)+c", "a + b + c"),
    ("a+(b+c)", "a + (b + c)"),
    ("a-(b-c)", "a - (b - c)"),
    ("(a*b)//c", "a * b // c"),
    ("a*(b//c)", "a * (b // c)"),
    ("(a+b)*c", "(a + b) * c"),
    ("a+(b*c)", "a + b * c"),
    (" 2*a ", "2 * a"),
])  # fmt: skip
def test_render(text: str, rendered: str) -> None:
    assert parse(text).render() == str(parse(text)) == rendered


def test_render_names() -> None:
    assert parse("a // 2 + a").render("cfg.{}".format) == "cfg.a // 2 + cfg.a"


def test_unknown_name() -> None:
    with pytest.raises(SpecValueError) as caught:
        parse("hiden_size // 2").value({"hidden_size": 8})
    assert caught.value.code == "unknown-name"
    assert caught.value.hint == "did you mean `hidden_size`?"


def test_division_by_zero() -> None:
    with pytest.raises(SpecValueError) as caught:
        parse("a // (b - 2)").value({"a": 1, "b": 2})
    assert caught.value.code == "divided-by-zero"
    assert "`b - 2`" in caught.value.message


TERMS: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from("abc").map(Name) | st.integers(0, 50).map(Number),
    lambda inner: st.builds(Binary, st.sampled_from(["+", "-", "*", "//"]), inner, inner),
    max_leaves=20,
)


@given(TERMS, st.fixed_dictionaries({name: st.integers(-9, 99) for name in "abc"}))
def test_the_same_number_as_python_and_the_same_tree_again(
    term: Term, values: dict[str, int]
) -> None:
    expression = Expression(term)
    text = expression.render()
    if len(text) <= MAX_LENGTH:
        assert parse(text) == expression
    try:
        expected = eval(text, {"__builtins__": {}}, dict(values))
    except ZeroDivisionError:
        with pytest.raises(SpecValueError) as caught:
            expression.value(values)
        assert caught.value.code == "divided-by-zero"
    else:
        assert expression.value(values) == expected


@given(st.text() | st.text("ab01 +-*/()_%.,"))
def test_any_text(text: str) -> None:
    try:
        assert parse(text).render()
    except SpecValueError as error:
        assert error.code in error_codes()


def test_field() -> None:
    adapter: TypeAdapter[Expression] = TypeAdapter(Arithmetic)
    assert adapter.validate_python("a//2", strict=True) == parse("a // 2")
    assert adapter.validate_json("8", strict=True) == parse("8")
    assert adapter.dump_json(parse("a//2")) == b'"a // 2"'
    assert adapter.json_schema()["anyOf"][0]["type"] == "string"
    for bad in ("true", "1.5", "[]", "null", "-1"):
        with pytest.raises(ValidationError):
            adapter.validate_json(bad)
