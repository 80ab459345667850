"""Shapes: how TransformerLens wraps one kind of module, and what each of its hooks holds.

A shape names a bridge class, the submodules below it, and every hook with its dimensions and its
meaning. Of the contract it says the exceptions only: a hook without one fires in every plain run,
and an edit of it reaches the logits. What differs between uses (paths, widths) are parameters.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
)

from adaptergen.problems import SpecValueError, quote
from adaptergen.spec.names import AttributePath, ClassName, HookName, Identifier, ModuleName, Text
from adaptergen.spec.values import Axis, FileVersion, Key, Releases, Setting

WHEN = "field of the HF config; where it is None, HF leaves the module out"
UNLESS = "field of the HF config; where it is not None, HF leaves the module out"


class Strict(BaseModel):
    """No unknown keys, no conversions, no changes."""

    # Only the models of whole files are used by themselves: pydantic makes the validator of one
    # when it is first wanted, and with it those of all that is below.
    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=True, defer_build=True
    )

    @field_validator("*")
    @classmethod
    def _something_after_the_colon(cls, value: Any, info: ValidationInfo) -> Any:
        """None stands for a key that is not there: one with nothing behind it is unfinished."""
        field = cls.model_fields[str(info.field_name)]
        if value is None and field.default is None and not field.validate_default:
            message = f"{quote(field.alias or str(info.field_name))} has no value"
            hint = "write it after the colon, or delete the key"
            raise SpecValueError("wrong-type", message, hint)
        return value


class Parameter(Strict):
    """Stands for what the use of the shape passes under this name."""

    parameter: Key


# Tags stand in the locations of pydantic, so they are nothing that can be a key of a file.
def _parameter_or(other: str) -> Discriminator:
    return Discriminator(lambda value: "(parameter)" if isinstance(value, dict) else other)


Path = Annotated[
    Annotated[Parameter, Tag("(parameter)")] | Annotated[AttributePath, Tag("(path)")],
    _parameter_or("(path)"),
]
ShapeAxis = Annotated[
    Annotated[Parameter, Tag("(parameter)")] | Annotated[Axis, Tag("(axis)")],
    _parameter_or("(axis)"),
]


class Contract(Strict):
    """An exception: what a hook does not promise, why, and in which releases of transformers."""

    state: Literal["read_only", "on_request", "silent", "silent_in_decode", "absent"] = Field(
        alias="is",
        description="read_only: an edit does not reach the logits. on_request: fires after the "
        "switch is set. silent: never fires. silent_in_decode: does not fire in a decode step. "
        "absent: taken off the component, since nothing can fire it.",
    )
    reason: Text
    switch: Identifier | None = Field(
        None,
        validate_default=True,
        description="what makes the hook fire: a setter of the bridge, or an attribute",
    )
    transformers: Releases | None = Field(None, description="releases in which this holds")

    @field_validator("switch")
    @classmethod
    def _switch_with_on_request(cls, switch: str | None, info: ValidationInfo) -> str | None:
        # Without a state, that is what is wrong, and nothing is known of the rest.
        state = info.data.get("state")
        if state is not None and (state == "on_request") != (switch is not None):
            message = "a hook has a switch if it fires on request, and only then"
            hint = "add switch: with the attribute" if switch is None else "delete it"
            raise SpecValueError("contract-switch", message, hint)
        return switch

    @field_validator("transformers")
    @classmethod
    def _one_for_all_releases(cls, releases: str | None, info: ValidationInfo) -> str | None:
        if releases and info.data.get("state") in ("absent", "on_request"):
            message = "the adapter is one for all releases, so this cannot depend on the release"
            raise SpecValueError("contract-releases", message, "use silent")
        return releases


class Hook(Strict):
    """What a hook point holds; `shape` and `tensor` unless its contract is `absent`."""

    shape: tuple[ShapeAxis, ...] | None = Field(None, description="dimensions, outermost first")
    tensor: Text | None = Field(None, description="what the tensor is")
    contract: Contract | None = None
    when: Identifier | None = Field(None, description="field of the HF config that must be set")
    heads: Identifier | None = Field(
        None, description="field of cfg: heads into which the last axis of HF's tensor is split"
    )
    silent_in_compatibility_mode: Text | None = Field(
        None, description="the reason, where TransformerLens' compatibility mode silences the hook"
    )

    @property
    def taken_off(self) -> bool:
        """Whether the component does not offer the hook."""
        return self.contract is not None and self.contract.state == "absent"


class Convolution(Strict):
    """Module-level functions to which HF passes the weight of a causal convolution.

    `sequence(x, weight, bias, activation)` convolves a sequence, `step(x, state, weight, bias,
    activation)` one token; `activation` is the attribute of the wrapped module that both apply, if
    any.
    """

    sequence: Identifier
    step: Identifier
    activation: Identifier | None = None
    continues: Releases | None = Field(
        None, description="releases in which several tokens may follow a cached prompt"
    )


class RouterWeight(Strict):
    """A router whose weight older releases use in the block around it.

    They make the logits without calling the router, and pass them to `method` of the block, which
    chooses the experts.
    """

    method: Identifier


Functional = Annotated[
    Annotated[Convolution, Tag("convolution")] | Annotated[RouterWeight, Tag("router")],
    Discriminator(lambda value: _kind_of_function(value)),
]


def _kind_of_function(value: Any) -> str:
    if isinstance(value, dict):
        router = not any(key in value for key in Convolution.model_fields)
    else:
        router = isinstance(value, RouterWeight)
    return "router" if router else "convolution"


class Wrapping(Strict):
    """What a shape and a component written out have in common."""

    component: ClassName = Field(description="bridge class of TransformerLens")
    config: bool = Field(False, description="whether the component takes the config")
    options: dict[Identifier, Setting] = Field({}, description="other keywords of the component")
    hooks: dict[HookName, Hook] = {}
    aliases: dict[Identifier, HookName] = Field({}, description="aliases the component adds itself")
    renamed_arguments: dict[Identifier, Identifier] = Field(
        {},
        description="arguments that HF passes, by names that the component does not read, and the "
        "names that it reads",
    )
    submodules: dict[Key, Use] = {}


class Component(Wrapping):
    """A component written out where it is used."""

    path: Path = Field(description="attribute of the HF module around it")
    functional: Functional | None = None
    when: Identifier | None = Field(None, description=WHEN)
    unless: Identifier | None = Field(None, description=UNLESS)


class ShapeUse(Strict):
    """A component as a shape describes it."""

    shape: ModuleName
    path: Path
    arguments: dict[Key, Setting] = Field({}, alias="with", description="values of parameters")
    add: dict[Key, Use] = Field({}, description="further submodules")
    hooks: dict[HookName, Hook] = Field({}, description="hooks that differ from the shape's")
    functional: Functional | None = None
    when: Identifier | None = Field(None, description=WHEN)
    unless: Identifier | None = Field(None, description=UNLESS)


def _kind_of_use(value: Any) -> str:
    if isinstance(value, dict):
        return "(shape)" if "shape" in value else "(component)"
    return "(shape)" if isinstance(value, ShapeUse) else "(component)"


Use = Annotated[
    Annotated[ShapeUse, Tag("(shape)")] | Annotated[Component, Tag("(component)")],
    Discriminator(_kind_of_use),
]


class Shape(Wrapping):
    """A file in `specs/shapes/`; its name is the name of the shape."""

    version: FileVersion = Field(alias="shape")
    title: Text
    parameters: dict[Key, Setting] = Field({}, description="names with defaults; null for none")
