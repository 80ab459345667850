"""From pydantic's errors to problems, all at once, in our words, at the right places."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from adaptergen.error_codes import error_codes
from adaptergen.problems import Failed, Problem, SpecValueError, render
from adaptergen.source.read import read_source
from adaptergen.source.source import Source
from adaptergen.source.validate import validate
from adaptergen.spec.arithmetic import Arithmetic
from adaptergen.spec.values import Identifier

WHOLE = "write a whole number, such as `8`"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mixer(Strict):
    kind: Literal["mixer"]
    state: int
    submodules: dict[Identifier, str] = {}


class Mlp(Strict):
    kind: Literal["mlp"]
    mlp: str
    width: Arithmetic


class Norm(Enum):
    RMS = "rms"
    LAYER = "layer"


class Tied(Strict):
    one: str = ""
    two: str = ""

    @model_validator(mode="after")
    def differ(self) -> Tied:
        if self.one and self.one == self.two:
            raise SpecValueError("bad-value", "`two` is the same as `one`", "rename", at=("two",))
        return self


class Spec(Strict):
    spec: int
    name: Identifier
    blocks: tuple[Annotated[Mixer | Mlp, Field(discriminator="kind")], ...] = ()
    heads: Annotated[int, Field(ge=1, le=9)] = 1
    ratio: float = 1.0
    tied: bool = False
    norm: Norm = Norm.RMS
    either: int | list[str] = 0
    nested: Tied | str = ""
    maybe: Tied | None = None
    shared: Annotated[str | None, Field(alias="from")] = None
    plain: Annotated[str, Field(pattern="^x", max_length=3)] = "x"
    few: Annotated[list[int], Field(max_length=2)] = []

    @field_validator("ratio")
    @classmethod
    def not_two(cls, value: float) -> float:
        if value == 2.0:
            raise ValueError("two is one too many")
        return value


def source(tmp_path: Path, text: str) -> Source:
    path = tmp_path / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return read_source(path, "x.yaml")


def problems(tmp_path: Path, text: str, whole: bool = False) -> tuple[Problem, ...]:
    with pytest.raises(Failed) as caught:
        validate(source(tmp_path, text if whole else f"spec: 1\nname: a\n{text}\n"), Spec)
    assert all(problem.code in error_codes() for problem in caught.value.problems)
    return caught.value.problems


def one(tmp_path: Path, text: str) -> tuple[str, str, str, tuple[int, int]]:
    """Code, message, hint, and line and column; lines count from after the two required ones."""
    (problem,) = problems(tmp_path, text)
    assert problem.location
    return (
        problem.code,
        problem.message,
        problem.hint,
        (problem.location.line - 2, problem.location.column),
    )


def test_good(tmp_path: Path) -> None:
    text = (
        "spec: 1\nname: a\nnorm: layer\nratio: 3\nfrom: b\nblocks:\n"
        "- {kind: mlp, mlp: x, width: hidden // 2}\n- {kind: mixer, state: 3}\n"
    )
    spec = validate(source(tmp_path, text), Spec)
    assert isinstance(spec, Spec)
    assert spec.norm is Norm.LAYER and spec.ratio == 3.0 and spec.shared == "b"
    assert isinstance(spec.blocks, tuple) and isinstance(spec.blocks[0], Mlp)
    assert spec.blocks[0].width.names == ("hidden",)


def test_missing_keys_of_a_mapping_are_one_problem(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "heads: 2", whole=True)
    assert problem.code == "missing-key"
    assert problem.message == "the file lacks the keys `spec` and `name`"
    assert problem.hint == "add `spec: ...` and `name: ...` to the file"


def test_missing_key_is_placed_at_the_mapping_even_if_a_tag_is_a_key_too(tmp_path: Path) -> None:
    code, message, _, place = one(tmp_path, "blocks:\n- kind: mlp\n  mlp: a")
    assert (code, message) == ("missing-key", "`blocks[0]` lacks the key `width`")
    assert place == (2, 3)


def test_missing_key_below_a_key(tmp_path: Path) -> None:
    class Outer(BaseModel):
        inner: Mixer

    with pytest.raises(Failed) as caught:
        validate(source(tmp_path, "inner:\n  kind: mixer\n"), Outer)
    assert render(caught.value.problems) == (
        "x.yaml:1:1: error[missing-key]: `inner` lacks the key `state`\n"
        "    1 | inner:\n"
        "      | ^^^^^\n"
        "      = hint: add `state: ...` below `inner`"
    )


def test_unknown_key(tmp_path: Path) -> None:
    assert one(tmp_path, "nmae: 1") == (
        "unknown-key", "`nmae` is not a key of the file", "did you mean `name`?", (1, 1)
    )  # fmt: skip


def test_unknown_key_of_a_union_member(tmp_path: Path) -> None:
    text = "blocks:\n- kind: mixer\n  state: 1\n  submodule: {}"
    assert one(tmp_path, text) == (
        "unknown-key", "`submodule` is not a key of `blocks[0]`", "did you mean `submodules`?",
        (4, 3),
    )  # fmt: skip
    hint = one(tmp_path, "blocks:\n- kind: mixer\n  state: 1\n  zzz: {}")[2]
    assert hint == "use one of `kind`, `state` or `submodules`"


def test_unknown_key_knows_aliases(tmp_path: Path) -> None:
    assert one(tmp_path, "fron: 1")[2] == "did you mean `from`?"
    assert one(tmp_path, "shared: 1")[0] == "unknown-key"


@pytest.mark.parametrize(("text", "message", "hint"), [
    ("heads: '8'", "`heads` must be a whole number, but is the text `8`",
     "write it without quotes"),
    ("heads: many", "`heads` must be a whole number, but is the text `many`", WHOLE),
    ("heads: true", "`heads` must be a whole number, but is `true`", WHOLE),
    ("heads: 1.5", "`heads` must be a whole number, but is the number `1.5`", WHOLE),
    ("heads: [1]", "`heads` must be a whole number, but is a list", WHOLE),
    ("heads:", "`heads` must be a whole number, but is nothing",
     "write a whole number after the colon"),
    ("ratio: a", "`ratio` must be a number, but is the text `a`",
     "write a number, such as `0.5`"),
    ("ratio: '1.5'", "`ratio` must be a number, but is the text `1.5`", "write it without quotes"),
    ("tied: abc", "`tied` must be true or false, but is the text `abc`",
     "write `true` or `false`"),
    ("tied: 8", "`tied` must be true or false, but is the number `8`", "write `true` or `false`"),
    ("tied: '8'", "`tied` must be true or false, but is the text `8`", "write `true` or `false`"),
    ("plain: {a: b}", "`plain` must be text, but is a mapping", "write text"),
    ("few: {a: b}", "`few` must be a list, but is a mapping", "write a list, such as `[a, b]`"),
    ("tied: no", "`tied` must be true or false, but is the text `no`", "write `false`"),
    ("plain: 3", "`plain` must be text, but is the number `3`", "put it in quotes"),
    ("few: 3", "`few` must be a list, but is the number `3`", "write it as a list: `[3]`"),
    ("maybe: 3", "`maybe` must be a mapping, but is the number `3`",
     "write it as lines of `key: value`, indented"),
    ("either: a", "`either` must be a whole number or a list, but is the text `a`",
     f"{WHOLE} or a list, such as `[a, b]`"),
    ("nested: 3", "`nested` must be a mapping or text, but is the number `3`", "put it in quotes"),
])  # fmt: skip
def test_wrong_type(tmp_path: Path, text: str, message: str, hint: str) -> None:
    code, said, hinted, (line, _) = one(tmp_path, text)
    assert (code, said, hinted, line) == ("wrong-type", message, hint, 1)


def test_the_file_itself_has_the_wrong_type(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "- a\n", whole=True)
    assert problem.message == "the file must be a mapping, but is a list"


def test_a_union_member_that_took_the_type_is_the_one_to_hear(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "nested: {thre: 3}")
    assert problem.code == "unknown-key"
    (problem,) = problems(tmp_path, "either: [3]")
    assert problem.message == "`either[0]` must be text, but is the number `3`"


def test_unknown_choice(tmp_path: Path) -> None:
    assert one(tmp_path, "norm: rsm") == (
        "unknown-choice", "`norm` cannot be `rsm`", "did you mean `rms`?", (1, 7)
    )  # fmt: skip
    assert one(tmp_path, "norm: 3")[1] == "`norm` cannot be `3`"


def test_unknown_and_missing_kind(tmp_path: Path) -> None:
    assert one(tmp_path, "blocks:\n- state: 1\n  kind: mixr") == (
        "unknown-choice", "`blocks[0].kind` cannot be `mixr`", "did you mean `mixer`?", (3, 9)
    )  # fmt: skip
    assert one(tmp_path, "blocks:\n- state: 1")[:2] == (
        "missing-key", "`blocks[0]` lacks the key `kind`"
    )  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [
    ("heads: 0", "`heads` must be at least 1, but is the number `0`"),
    ("heads: 10", "`heads` must be at most 9, but is the number `10`"),
    ("plain: xaaa", "`plain` must have at most 3 characters, but is the text `xaaa`"),
    ("plain: a", "`plain` must have the form ^x, but is the text `a`"),
    ("few: [1, 2, 3]", "`few` must have at most 2 entries, but is a list"),
    ("ratio: 2", "`ratio` is not accepted: two is one too many"),
])  # fmt: skip
def test_bad_value(tmp_path: Path, text: str, message: str) -> None:
    assert one(tmp_path, text)[:2] == ("bad-value", message)


def test_spec_value_errors_keep_their_code_message_and_hint(tmp_path: Path) -> None:
    code, message, hint, place = one(tmp_path, "blocks:\n- {kind: mlp, mlp: a, width: a % 2}")
    assert (code, place) == ("arithmetic-operator", (2, 30))
    assert message == "`%` is not allowed in arithmetic" and "`//`" in hint


def test_a_bad_key_of_a_dict_is_placed_at_the_key(tmp_path: Path) -> None:
    text = "blocks:\n- kind: mixer\n  state: 1\n  submodules:\n    class: a"
    assert one(tmp_path, text) == (
        "reserved-name", "`class` is a keyword of Python", "e.g. `class_`", (5, 5)
    )  # fmt: skip


def test_a_check_of_a_model_can_blame_one_key(tmp_path: Path) -> None:
    assert one(tmp_path, "maybe:\n  one: a\n  two: a")[3] == (3, 8)


def test_all_at_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = problems(tmp_path, (
        "blocks:\n- kind: mixer\n- kind: mlp\n  mlp: 3\n  width: a /\n  x: 1\nheads: 0\nname: a-b\n"
    ), whole=True)  # fmt: skip
    assert [problem.code for problem in found] == [
        "missing-key", "missing-key", "wrong-type", "arithmetic-syntax", "unknown-key",
        "bad-value", "bad-identifier",
    ]  # fmt: skip


def test_every_one_is_counted(tmp_path: Path) -> None:
    text = "".join(f"{key}: 1\n" for key in map("name{}".format, range(1500)))
    assert len(problems(tmp_path, text)) == 1500
    assert len(problems(tmp_path, f"either: [{', '.join('1' * 1500)}]")) == 1500


SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.text("ab_x-", max_size=3)
KEYS = st.sampled_from([*Spec.model_fields, "from", "kind", "mlp", "state", "one", "two", "zz"])
DATA = st.recursive(
    SCALARS | st.sampled_from(["mixer", "mlp", "rms"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(KEYS, DATA, max_size=8))
def test_any_data_is_a_model_or_problems(tmp_path: Path, data: dict[str, Any]) -> None:
    read = source(tmp_path, json.dumps(data))
    assert read.data == data
    try:
        validate(read, Spec)
    except Failed as failed:
        assert failed.problems
        assert all(p.location and p.line_text is not None for p in failed.problems)
        assert all("pydantic" not in p.message.lower() for p in failed.problems)
