"""The records that commands write with `--json FILE`; JSON Schemas are made of these models.

Parts of a record read the objects that a command found by their attributes.
"""

from __future__ import annotations

import json
import math
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
)
from pydantic.dataclasses import dataclass

from adaptergen import __version__
from adaptergen.emit import put
from adaptergen.error_codes import error_codes
from adaptergen.facts import Facts
from adaptergen.output.compare import Outcome, Report, State
from adaptergen.problems import Problem

#: breaking: the adapter cannot be used as it is, or HF itself raises. silent: it runs, and a hook
#: or a dimension is not what it was. benign: nothing that the adapter rests on.
Severity = Literal["breaking", "silent", "benign"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
StateName = Literal["new", "changed", "removed", "unchanged", "edited", "foreign"]

HookState = Literal["declared", "fired", "silent", "undeclared"]
HOOK_STATES: tuple[HookState, ...] = get_args(HookState)

#: Text; in JSON null where it is empty.
TextOrNull = Annotated[str, PlainSerializer(lambda text: text or None, return_type=str | None)]

Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 3))]

_AUDIT_CODES: list[Any] = list(error_codes("Registries of TransformerLens"))

#: JSON has no infinity.
Difference = Annotated[
    NonNegativeFloat | None,
    BeforeValidator(lambda value: value if math.isfinite(value) else None),
]


#: What dataclasses among the parts of a record have in common with the others.
_CLOSED = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class Part(BaseModel):
    """Part of a record; a key that it does not have is an error."""

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        from_attributes=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )


def schema_field(name: str) -> Any:
    """The field that names the format of a record; `schema` is a method of every model."""
    return Field(f"adaptergen/{name}/1", serialization_alias="schema")


def versions_field(*packages: str) -> Any:
    """The field with the versions of adaptergen, of Python, and of these distributions."""

    def find() -> dict[str, str | None]:
        return {
            "adaptergen": __version__,
            "python": platform.python_version(),
            **{package: _version(package) for package in packages},
        }

    return Field(
        default_factory=find,
        description="versions at work; null for a package that is not installed",
        json_schema_extra={"required": ["adaptergen", "python", *packages]},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Record(Part):
    """What every record opens with."""

    format: str = schema_field("record")
    tool: Literal["adaptergen"] = "adaptergen"
    versions: dict[str, str | None] = versions_field()

    def write(self, target: str) -> None:
        """Write the record to a file, or to standard output if it is called `-`."""
        # In ASCII, so that it does not depend on what the terminal or the pipe can encode.
        put(json.dumps(self.model_dump(mode="json", by_alias=True), indent=2) + "\n", target)


class ProblemEntry(Part):
    """A mistake of the user, or of the environment."""

    code: str
    message: str
    hint: str
    path: str | None
    line: PositiveInt | None
    column: PositiveInt | None


def problem_entry(problem: Problem) -> dict[str, object]:
    """The fields of a `ProblemEntry`."""
    place = problem.location
    return {
        "code": problem.code,
        "message": problem.message,
        "hint": problem.fix,
        "path": place.path if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


#: Entries made of problems of specs, of locks and of the environment.
Problems = Annotated[
    tuple[ProblemEntry, ...], BeforeValidator(lambda found: tuple(map(problem_entry, found)))
]


class ReportRecord(Record):
    """What the record of a command has that works on specs."""

    outcome: Any
    exit_code: Literal[0, 1, 2]
    summary: str = Field(description="one sentence for people")


class SpecEntry(Part):
    """A spec of the call."""

    module: str
    spec: str = Field(description="path of the spec in its project")


class AuditFinding(ProblemEntry):
    """One thing that is wrong in the registries."""

    code: str = Field(json_schema_extra={"enum": _AUDIT_CODES})
    path: str = Field(description="file, relative to the checkout")
    line: PositiveInt
    column: PositiveInt
    subject: str = Field(description="an architecture, a class, or class.attribute")
    fixable: bool = Field(description="whether --fix can correct it")


class AuditRecord(Record):
    """What is wrong in the registries of a TransformerLens; with --fix, what is left."""

    format: Literal["adaptergen/audit/1"] = schema_field("audit")
    transformer_lens: str = Field(
        description="version of what was audited; `development` where its files name none"
    )
    exit_code: Literal[0, 1]
    counts: dict[str, PositiveInt] = Field(
        description="number of findings by code",
        json_schema_extra={"propertyNames": {"enum": _AUDIT_CODES}},
    )
    findings: tuple[AuditFinding, ...]


class BuiltSpec(SpecEntry):
    """A spec of the call."""

    meta: dict[str, Any] = Field(description="what the manifest says besides")


class BuiltFile(Part):
    """A file that is wanted or was made before."""

    path: str = Field(description="below the output folder")
    state: StateName = Field(
        description="foreign: not made by adaptergen; edited: changed by hand since it was made"
    )


class BuildRecord(ReportRecord):
    """What a build, or `build --check`, found and what came of it."""

    format: Literal["adaptergen/build/1"] = schema_field("build")
    versions: dict[str, str | None] = versions_field(
        "black", "isort", "jinja2", "pydantic", "ruamel.yaml"
    )
    outcome: Outcome = Field(
        description="failed: the specs have problems, or the environment stood in the way; "
        "refused: a file was edited by hand or is not adaptergen's; interrupted: another build "
        "runs, or was killed"
    )
    specs: tuple[BuiltSpec, ...] = ()
    counts: dict[StateName, NonNegativeInt] = Field(
        default_factory=lambda: dict.fromkeys(get_args(StateName), 0),
        description="number of entries by state; after writing, by the state they were in before",
    )
    entries: tuple[BuiltFile, ...] = ()
    problems: Problems = ()


@dataclass(frozen=True, config=_CLOSED)
class DriftFinding:
    """A change."""

    code: str = Field(description="what kind of change it is")
    severity: Severity = Field()
    what: str = Field(description="the change in a sentence")
    kinds: tuple[str, ...] = Field(default=(), description="kinds of layer, or model")
    layers: tuple[int, ...] = Field(default=(), description="layers of the tiny model")
    paths: tuple[str, ...] = Field(
        default=(), description="modules, hooks or fields, within a layer"
    )
    hf: TextOrNull = Field(default="", description="qualified name in transformers")
    source: TextOrNull = Field(default="", description="file:line in what is installed")
    file: TextOrNull = Field(default="", description="the spec or shape that it is about")
    line: PositiveInt | None = Field(default=None, serialization_alias="spec_line")
    fix: TextOrNull = Field(default="", serialization_alias="mend", description="what to do")
    branch: TextOrNull = Field(
        default="", description="the tiny model that shows it, if not the first"
    )


class DriftedSpec(SpecEntry):
    """What changed for one spec."""

    architecture: str = Field(description="class of transformers")
    old: str = Field(serialization_alias="from", description="transformers/transformer-lens")
    new: str = Field(serialization_alias="to", description="transformers/transformer-lens")
    counts: dict[Severity, NonNegativeInt] = Field(description="number of findings by severity")
    findings: tuple[DriftFinding, ...]


class DriftRecord(ReportRecord):
    """What changed from one release of transformers to another that adapters rest on."""

    format: Literal["adaptergen/drift/1"] = schema_field("drift")
    versions: dict[str, str | None] = versions_field("transformer-lens", "transformers")
    outcome: Literal["fine", "drifted", "failed"] = Field(
        description="drifted: a change that is not benign; failed: nothing was compared"
    )
    specs: tuple[DriftedSpec, ...] = ()
    problems: Problems = ()


class InspectRecord(Record):
    """What transformers does, as data."""

    format: Literal["adaptergen/inspect/1"] = schema_field("inspect")
    versions: dict[str, str | None] = versions_field("torch", "transformers")
    target: str = Field(description="what was named on the command line")
    outcome: Literal["fine", "failed"]
    exit_code: Literal[0, 2]
    facts: Annotated[Facts, PlainSerializer(lambda facts: json.loads(facts.to_json()))] | None = (
        Field(None, description="a value that is a default is left out")
    )
    problems: Problems = ()


class VerifiedModel(Part):
    """A model that was measured."""

    model: str = Field(description="branch of the tiny model, or checkpoint")
    layers: int
    parameters: int
    dtype: str
    seconds: Seconds
    prompt: str = Field(description="what was continued")
    reduced: dict[str, str] = Field(description="what is smaller than in the configuration")
    placement: dict[str, int] = Field(
        description="number of modules by the place that accelerate gave them"
    )
    measured: dict[str, int] = Field(description="what was looked at, and how often")


class VerifiedSpec(SpecEntry):
    """A spec of the call."""

    architecture: str = Field(description="class of transformers")
    reports: tuple[VerifiedModel, ...] = Field(serialization_alias="models")


class VerifyFailure(Part):
    """One thing that is not as promised."""

    module: str
    model: str = Field(description="branch of the tiny model, or checkpoint")
    check: str
    layer: int | None = Field(description="from 0; null outside the layers")
    kind: str | None
    hook: str | None = Field(description="hook, alias or component within its layer")
    weight: str | None = Field(description="weight that did not load from the checkpoint")
    file: str | None = Field(description="the spec or shape that makes the promise, or null")
    line: PositiveInt | None = Field(
        serialization_alias="spec_line", description="the line in it, from 1"
    )
    what: str
    expected: str
    measured: str
    mend: str = Field(description="the edit that may correct it")


class VerifyRecord(ReportRecord):
    """What was measured of adapters, and what of it is not as promised.

    What is measured on each model is given by module, then by model.
    """

    format: Literal["adaptergen/verify/1"] = schema_field("verify")
    versions: dict[str, str | None] = versions_field(
        "accelerate", "torch", "transformer-lens", "transformers"
    )
    tier: Literal["tiny", "width", "full", "checkpoint"]
    outcome: Literal["fine", "differs", "failed"] = Field(
        description="failed: the specs have problems, or the environment stood in the way"
    )
    warnings: tuple[str, ...] = Field(
        (), description="installed versions that the catalogues or a spec do not know"
    )
    seconds: Seconds = Field(0.0, description="time of all measurements, without imports")
    peak_memory: int | None = Field(
        None,
        serialization_alias="peak_memory_bytes",
        description="the most memory the process ever held; null where the system does not say",
    )
    specs: tuple[VerifiedSpec, ...] = ()
    parity: dict[str, dict[str, dict[str, Difference]]] = Field(
        {},
        description="largest absolute difference of logits from HF's; null for logits of another "
        "shape or that are no numbers",
    )
    generation: dict[
        str, dict[str, dict[Literal["with_cache", "without_cache", "left_padded"], bool]]
    ] = Field({}, description="whether greedy tokens equal HF's, by how they were made")
    dimensions: dict[str, dict[str, dict[str, dict[Literal["expected", "measured"], Any]]]] = Field(
        {},
        description="fields of cfg: what the HF config and the arithmetic of the spec give "
        "(expected), and what cfg says (measured)",
    )
    hooks: dict[HookState, dict[str, dict[str, tuple[str, ...]]]] = Field(
        {state: {} for state in HOOK_STATES},
        description="names of hooks within a layer, by module and by kind of layer (`model` is "
        "outside the layers), over all models; declared: in the spec; fired: in a plain run; "
        "silent: declared, and did not fire in a plain run, be it promised or not; undeclared: "
        "offered by the bridge and not in the spec. The tier full runs nothing, so nothing fires",
    )
    failures: tuple[VerifyFailure, ...] = Field((), description="what is not as promised")
    problems: Problems = ()


def build_record(found: Report) -> BuildRecord:
    """What a build found."""
    trees = found.comparison.trees if found.comparison else ()
    entries = found.comparison.entries if found.comparison else ()
    return BuildRecord(
        outcome=found.outcome,
        exit_code=found.exit_code,
        summary=found.summary,
        specs=[
            {"module": tree.name, "spec": tree.spec, "meta": tree.meta}
            for tree in trees
            if tree.version is None
        ],
        counts={s.name.lower(): sum(one.state is s for one in entries) for s in State},
        entries=[{"path": one.path, "state": one.state.name.lower()} for one in entries],
    )
