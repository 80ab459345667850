"""The records that commands write with `--json FILE`; JSON Schemas are made of these models.

Parts of a record read the objects that a command found by their attributes.
"""

from __future__ import annotations

import json
import math
import platform
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Literal

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

from adaptergen import __version__
from adaptergen.emit import put
from adaptergen.error_codes import AUDIT_CODES
from adaptergen.facts import Facts
from adaptergen.output.compare import Outcome, Report, State
from adaptergen.problems import Failed, Problem

ExitCode = Literal[0, 1, 2]
StateName = Literal["new", "changed", "removed", "unchanged", "edited", "foreign"]

#: Text, or null where it is empty.
TextOrNull = Annotated[str | None, BeforeValidator(lambda text: text or None)]

Seconds = Annotated[float, AfterValidator(lambda seconds: round(seconds, 3))]

#: JSON has no infinity.
Difference = Annotated[
    NonNegativeFloat | None,
    BeforeValidator(lambda value: value if math.isfinite(value) else None),
]


class Part(BaseModel):
    """Part of a record; a key that it does not have is an error."""

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        from_attributes=True,
        frozen=True,
        json_schema_serialization_defaults_required=True,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _package(name: str) -> Any:
    """A field with the installed version of a distribution."""
    return Field(default_factory=partial(_version, name), serialization_alias=name)


def _schema(name: str) -> Any:
    """The field that names the format of a record; `schema` is a method of every model."""
    return Field(f"adaptergen/{name}/1", serialization_alias="schema")


class Versions(Part):
    """Versions at work; null for a package that is not installed."""

    adaptergen: str = Field(default_factory=lambda: __version__)
    python: str = Field(default_factory=platform.python_version)


class BuildVersions(Versions):
    """Versions of the packages that have a part in the bytes of a build; null if not installed."""

    black: str | None = _package("black")
    isort: str | None = _package("isort")
    jinja2: str | None = _package("jinja2")
    pydantic: str | None = _package("pydantic")
    ruamel_yaml: str | None = _package("ruamel.yaml")


class InspectVersions(Versions):
    """Versions of the packages that are observed; null if not installed."""

    torch: str | None = _package("torch")
    transformers: str | None = _package("transformers")


class DriftVersions(Versions):
    """Versions of the packages that are compared; null if not installed."""

    transformer_lens: str | None = _package("transformer-lens")
    transformers: str | None = _package("transformers")


class VerifyVersions(DriftVersions):
    """Versions of the packages that have a part in what is measured; null if not installed."""

    accelerate: str | None = _package("accelerate")
    torch: str | None = _package("torch")


class Record(Part):
    """What every record opens with."""

    format: str = _schema("record")
    tool: Literal["adaptergen"] = "adaptergen"
    versions: Versions = Field(default_factory=Versions)

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


#: Entries made of problems.
Problems = Annotated[
    tuple[ProblemEntry, ...], BeforeValidator(lambda found: tuple(map(problem_entry, found)))
]


class AuditFinding(ProblemEntry):
    """One thing that is wrong in the registries."""

    code: str = Field(json_schema_extra={"enum": list(AUDIT_CODES)})
    path: str = Field(description="file, relative to the checkout")
    line: PositiveInt
    column: PositiveInt
    subject: str = Field(description="an architecture, a class, or class.attribute")
    fixable: bool = Field(description="whether --fix can correct it")


class AuditRecord(Record):
    """What is wrong in the registries of a TransformerLens; with --fix, what is left."""

    format: Literal["adaptergen/audit/1"] = _schema("audit")
    transformer_lens: str = Field(
        description="version of what was audited; `development` where its files name none"
    )
    exit_code: Literal[0, 1]
    counts: dict[str, PositiveInt] = Field(
        description="number of findings by code",
        json_schema_extra={"propertyNames": {"enum": list(AUDIT_CODES)}},
    )
    findings: tuple[AuditFinding, ...]


class BuiltSpec(Part):
    """A spec of the call."""

    module: str
    spec: str = Field(description="path of the spec in its project")
    meta: dict[str, Any] = Field(description="what the manifest says besides")


class BuiltFile(Part):
    """A file that is wanted or was made before."""

    path: str = Field(description="below the output folder")
    state: StateName = Field(
        description="foreign: not made by adaptergen; edited: changed by hand since it was made"
    )


class BuildRecord(Record):
    """What a build, or `build --check`, found and what came of it."""

    format: Literal["adaptergen/build/1"] = _schema("build")
    versions: BuildVersions = Field(default_factory=BuildVersions)
    outcome: Outcome = Field(
        description="failed: the specs have problems, or the environment stood in the way; "
        "refused: a file was edited by hand or is not adaptergen's; interrupted: another build "
        "runs, or was killed"
    )
    exit_code: ExitCode
    summary: str = Field(description="one sentence for people")
    specs: tuple[BuiltSpec, ...] = ()
    counts: dict[StateName, NonNegativeInt] = Field(
        description="number of entries by state; after writing, by the state they were in before"
    )
    entries: tuple[BuiltFile, ...] = ()
    problems: Problems = Field((), description="what is wrong with the specs")


class DriftFinding(Part):
    """A change."""

    code: str = Field(description="what kind of change it is")
    severity: Literal["breaking", "silent", "benign"]
    what: str = Field(description="the change in a sentence")
    kinds: tuple[str, ...] = Field(description="kinds of layer, or model")
    layers: tuple[int, ...] = Field(description="layers of the tiny model")
    paths: tuple[str, ...] = Field(description="modules, hooks or fields, within a layer")
    branch: TextOrNull = Field(description="the tiny model that shows it, if not the first")
    hf: TextOrNull = Field(description="qualified name in transformers")
    source: TextOrNull = Field(description="file:line in what is installed")
    file: TextOrNull = Field(description="the spec or shape that it is about")
    line: PositiveInt | None = Field(serialization_alias="spec_line")
    mend: TextOrNull = Field(description="what to do")


class DriftCounts(Part):
    """Number of findings by severity."""

    breaking: NonNegativeInt
    silent: NonNegativeInt
    benign: NonNegativeInt


class DriftedSpec(Part):
    """What changed for one spec."""

    module: str
    spec: str = Field(description="path of the spec in its project")
    architecture: str = Field(description="class of transformers")
    old: str = Field(serialization_alias="from", description="transformers/transformer-lens")
    new: str = Field(serialization_alias="to", description="transformers/transformer-lens")
    counts: DriftCounts
    findings: tuple[DriftFinding, ...]


class DriftRecord(Record):
    """What changed from one release of transformers to another that adapters rest on."""

    format: Literal["adaptergen/drift/1"] = _schema("drift")
    versions: DriftVersions = Field(default_factory=DriftVersions)
    outcome: Literal["fine", "drifted", "failed"] = Field(
        description="drifted: a change that is not benign; failed: nothing was compared"
    )
    exit_code: ExitCode
    summary: str = Field(description="one sentence for people")
    specs: tuple[DriftedSpec, ...] = ()
    problems: Problems = Field((), description="of specs, of locks and of the environment")


class InspectRecord(Record):
    """What transformers does, as data."""

    format: Literal["adaptergen/inspect/1"] = _schema("inspect")
    versions: InspectVersions = Field(default_factory=InspectVersions)
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


class VerifiedSpec(Part):
    """A spec of the call."""

    module: str
    spec: str = Field(description="path of the spec in its project")
    architecture: str = Field(description="class of transformers")
    models: tuple[VerifiedModel, ...]


class VerifiedDimension(Part):
    """A field of cfg."""

    expected: Any = Field(description="what the HF config and the arithmetic of the spec give")
    measured: Any = Field(description="what cfg says")


#: Names of hooks within a layer, by module and by kind of layer.
HooksByKind = dict[str, dict[str, tuple[str, ...]]]


class VerifiedHooks(Part):
    """Names of hooks within a layer, by module and by kind of layer, over all models.

    The kind `model` is outside the layers. The tier full runs nothing, so no hook fires there.
    """

    declared: HooksByKind = Field({}, description="in the spec")
    fired: HooksByKind = Field({}, description="fired in a plain run")
    silent: HooksByKind = Field(
        {}, description="declared, and did not fire in a plain run, be it promised or not"
    )
    undeclared: HooksByKind = Field({}, description="offered by the bridge and not in the spec")


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


class VerifyRecord(Record):
    """What was measured of adapters, and what of it is not as promised.

    What is measured on each model is given by module, then by model.
    """

    format: Literal["adaptergen/verify/1"] = _schema("verify")
    versions: VerifyVersions = Field(default_factory=VerifyVersions)
    tier: Literal["tiny", "width", "full", "checkpoint"]
    outcome: Literal["fine", "differs", "failed"] = Field(
        description="failed: the specs have problems, or the environment stood in the way"
    )
    exit_code: ExitCode
    summary: str = Field(description="one sentence for people")
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
    dimensions: dict[str, dict[str, dict[str, VerifiedDimension]]] = Field(
        {}, description="fields of cfg"
    )
    hooks: VerifiedHooks = Field(default_factory=VerifiedHooks)
    failures: tuple[VerifyFailure, ...] = Field((), description="what is not as promised")
    problems: Problems = Field((), description="what is wrong with the specs")


def build_record(report: Report) -> BuildRecord:
    """What a build found, and what came of it."""
    comparison = report.comparison
    trees = [tree for tree in comparison.trees if not tree.shared] if comparison else []
    return BuildRecord(
        outcome=report.outcome,
        exit_code=report.exit_code,
        summary=report.summary,
        specs=[{"module": tree.name, "spec": tree.spec, "meta": tree.meta} for tree in trees],
        counts={state.name.lower(): report.count(state) for state in State},
        entries=[
            {"path": entry.path, "state": entry.state.name.lower()}
            for entry in (comparison.entries if comparison else ())
        ],
    )


def failed_build_record(failed: Failed) -> BuildRecord:
    """The same for specs that have problems: nothing was compared."""
    return BuildRecord(
        outcome=Outcome.FAILED,
        exit_code=2,
        summary=f"Nothing written: {failed.summary}",
        counts={state.name.lower(): 0 for state in State},
        problems=failed.shown,
    )
