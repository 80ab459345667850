"""The record of a survey: what was measured of each model class, and what follows from that."""

from __future__ import annotations

import json
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, NonNegativeInt

from adaptergen.emit import put
from adaptergen.records import (
    Difference,
    Part,
    Problems,
    ReportRecord,
    schema_field,
    versions_field,
)

Task = Literal["causal-lm", "seq2seq-lm", "masked-lm"]
TASKS: tuple[Task, ...] = get_args(Task)

Way = Literal["plain", "cached", "decode"]
Cache = Literal["with_cache", "without_cache"]
Continuation = Literal["as generate", "as forward", "other", "raises"]
State = Literal["live", "read_only", "on_request", "silent"]
STATES: tuple[State, ...] = get_args(State)
Role = Literal["pattern", "scores", "queries", "keys", "values"]
ROLES: tuple[Role, ...] = get_args(Role)

Names = Annotated[tuple[str, ...], AfterValidator(lambda names: tuple(sorted(set(names))))]


class Measured(Part):
    """What was measured of one bridge around the tiny model; numbers in names of layers are `*`."""

    error: str | None = Field(None, description="why nothing could be measured")
    parity: dict[Way, Difference] = Field(
        {},
        description="largest absolute difference of logits from transformers' own; null where the "
        "bridge raises, or for logits of another shape or that are no numbers",
    )
    generation: dict[Cache, Continuation] = Field(
        {},
        description="how greedy tokens are continued: as transformers' generate does; as a loop "
        "over its forward does, which is not the same; in another way; not at all",
    )
    raises: dict[str, str] = Field({}, description="what the bridge raises in a run, by the run")
    layers: NonNegativeInt = Field(0, description="layers of the tiny model that its forward calls")
    streams: NonNegativeInt = Field(
        0, description="those with the stream before and after the layer in live, editable hooks"
    )
    parts: NonNegativeInt = Field(0, description="attentions, mixers and feed-forwards")
    parts_live: NonNegativeInt = Field(0, description="those with their output in such a hook")
    parts_missing: Names = Field((), description="the others, by their path in transformers")
    attention: NonNegativeInt = Field(0, description="modules that compute softmax attention")
    editable: dict[Role, NonNegativeInt] = Field(
        {}, description="those with such a hook of the tensor, whose edit goes through the softmax "
        "where it has to"
    )  # fmt: skip
    hooks: dict[State, NonNegativeInt] = Field(
        {},
        description="number of hooks; read_only: an edit does not reach the logits; on_request: "
        "fires once a switch is set; silent: offered, and nothing fires it",
    )
    read_only: Names = ()
    on_request: Names = ()
    silent: Names = ()
    unbound: Names = Field((), description="modules with weights that no component binds")
    explained: dict[str, str] = Field(
        {}, description="why not, where no run uses the weights, or the report of a bridge says"
    )
    opaque: Names = Field(
        (), description="attentions, mixers and feed-forwards with nothing hooked inside, although "
        "they have modules with weights"
    )  # fmt: skip
    analyses: dict[str, str] = Field(
        {}, description="analyses of TransformerLens that apply, and what is wrong; empty if they "
        "give what the model computes"
    )  # fmt: skip
    findings: tuple[str, ...] | None = Field(
        None, description="what `verify` finds, as the emitted tests would; null if it did not run"
    )
    stands: bool = Field(False, description="logits, tokens, streams and outputs are as they must")
    green: bool = Field(False, description="stands, is verified, and nothing in it is opaque")
    why_not: tuple[str, ...] = Field((), description="what keeps it from being green")


class SurveyedClass(Part):
    """A model class of transformers, and the bridges around its tiny model."""

    name: str
    error: str | None = Field(None, description="why no tiny model of it could be made and run")
    hf: tuple[str, ...] = Field(
        (), description="what transformers raises, or does not agree with itself about"
    )
    draft: Measured | None = Field(None, description="the draft, as it is written")
    spec: Measured | None = Field(None, description="the committed spec; null where there is none")
    by_hand: Measured | None = Field(
        None, description="the adapter of TransformerLens; null where there is none"
    )


class SurveyTable(Part):
    """All classes that were surveyed with these releases."""

    task: Task
    transformers: str
    transformer_lens: str
    torch: str
    classes: tuple[SurveyedClass, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two tables parts of one."""
        return self.task, self.transformers, self.transformer_lens, self.torch


class SurveyRecord(ReportRecord):
    """What holds of every model class of a task, by task and release."""

    format: Literal["adaptergen/survey/1"] = schema_field("survey")
    versions: dict[str, str | None] = versions_field("torch", "transformer-lens", "transformers")
    outcome: Literal["fine", "worse", "failed"] = Field(
        description="worse: a class holds less than in the committed table; failed: nothing was "
        "surveyed"
    )
    worse: tuple[str, ...] = Field((), description="what is worse, a sentence for each")
    tables: tuple[SurveyTable, ...] = ()
    problems: Problems = ()

    def write(self, target: str) -> None:
        """As JSON with a class a line, so that a diff shows which classes changed."""
        content = self.model_dump(mode="json", by_alias=True)
        classes = [table.pop("classes") for table in content["tables"]]
        for number, table in enumerate(content["tables"]):
            table["classes"] = f"@{number}@"
        text = json.dumps(content, indent=1)
        for number, found in enumerate(classes):
            lines = ",\n".join(f"    {json.dumps(one)}" for one in found)
            text = text.replace(f'"@{number}@"', f"[\n{lines}\n   ]" if found else "[]")
        put(f"{text}\n", target)


def tables_of(text: str) -> tuple[SurveyTable, ...]:
    """The tables of a record that was written. Raises `ValueError` for any other text."""
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("schema") != "adaptergen/survey/1":
        raise ValueError("it is not what `adaptergen survey --json` writes")
    return tuple(SurveyTable.model_validate(table) for table in content["tables"])


def joined(tables: tuple[SurveyTable, ...]) -> tuple[SurveyTable, ...]:
    """Tables of the same task and releases as one each; of a class that stands twice the last."""
    found: dict[tuple[str, ...], dict[str, SurveyedClass]] = {}
    first: dict[tuple[str, ...], SurveyTable] = {}
    for table in tables:
        first.setdefault(table.key, table)
        found.setdefault(table.key, {}).update({one.name: one for one in table.classes})
    return tuple(
        first[key].model_copy(update={"classes": tuple(found[key][n] for n in sorted(found[key]))})
        for key in sorted(found)
    )
