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
    model_validator,
)

from adaptergen.problems import SpecValueError, listing, quote
from adaptergen.spec.arithmetic import Axis
from adaptergen.spec.values import (
    AttributePath,
    ClassName,
    FileVersion,
    HookName,
    Identifier,
    Key,
    ModuleName,
    Releases,
    Setting,
    Text,
    Title,
)

WHEN = "field of the HF config: HF has the module where it is set, or where it is a value"
UNLESS = "field of the HF config: HF leaves the module out where it is set, or where it is a value"


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


Passed = Annotated[
    Annotated[Parameter, Tag("(parameter)")] | Annotated[Setting, Tag("(value)")],
    _parameter_or("(value)"),
]


class FieldValue(Strict):
    """A field of the HF config that has one value, where a field alone is one that is not None."""

    field: Identifier
    value: Setting = Field(alias="is")


FieldCondition = Annotated[
    Annotated[Identifier, Tag("(field)")] | Annotated[FieldValue, Tag("(value)")],
    Discriminator(lambda value: "(value)" if isinstance(value, dict) else "(field)"),
]


class Contract(Strict):
    """An exception: what a hook does not promise, why, and in which releases of transformers."""

    state: Literal[
        "read_only", "no_gradient", "on_request", "silent", "silent_in_decode", "absent"
    ] = Field(
        alias="is",
        description="read_only: an edit does not reach the logits. no_gradient: an edit reaches "
        "them through a choice alone, such as that of experts, so that no gradient comes back. "
        "on_request: fires after the switch is set. silent: never fires. silent_in_decode: does "
        "not fire in a decode step. absent: taken off the component, since nothing can fire it.",
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
    when: FieldCondition | None = Field(
        None, description="field of the HF config: HF fires the hook where it is set, or is a value"
    )
    heads: Identifier | None = Field(
        None, description="field of cfg: heads into which the last axis of HF's tensor is split"
    )
    overwritten: bool = Field(
        False, description="whether HF writes into the tensor afterwards, as `x += y` does"
    )
    silent_in_compatibility_mode: Text | None = Field(
        None, description="the reason, where TransformerLens' compatibility mode silences the hook"
    )

    @property
    def taken_off(self) -> bool:
        """Whether the component does not offer the hook."""
        return self.contract is not None and self.contract.state == "absent"


class Tap(Strict):
    """A hook on what a function takes or returns while HF's forward of the component runs.

    `function`, `torch` or `weight` says which function; `argument` says that the hook is on what it
    takes, and where it is left out, the hook is on what it returns.
    """

    function: tuple[Identifier, ...] = Field(
        (),
        description="functions of HF's module, methods, or submodules that are called; releases "
        "may have different ones",
    )
    torch: Literal["softmax", "matmul", "bmm", "baddbmm", "einsum"] | None = Field(
        None, description="a function of torch"
    )
    weight: HookName | None = Field(
        None, description="a parameter, for the operation that receives it, such as `gate.weight`"
    )
    argument: int | None = Field(
        None,
        ge=0,
        le=20,
        description="position of the argument; of an operation with a weight, the other operand",
    )
    part: int | None = Field(None, ge=0, le=20, description="position in a result of several")
    call: int | None = Field(None, ge=0, le=20, description="which of several calls, from 0")
    tokens: int | None = Field(
        None,
        ge=0,
        le=5,
        description="axis of positions, where HF may have more of them than the call has tokens",
    )
    activation: Identifier | None = Field(
        None, description="attribute with the activation that HF has the function apply last"
    )
    flatten: int | None = Field(
        None, ge=0, le=5, description="axis from which on the hook has all but the last as one"
    )
    heads_first: bool = Field(
        False, description="whether HF has heads before positions, and the hook after them"
    )

    @model_validator(mode="after")
    def _one_function(self) -> Tap:
        named = [word for word in ("function", "torch", "weight") if getattr(self, word)]
        if not named:
            message = "the tap does not say what it is on"
            hint = f"add {listing(('function', 'torch', 'weight'), 'or')}"
            raise SpecValueError("bad-tap", message, hint)
        if len(named) > 1:
            message = f"the tap is on {listing(named)}, and a tap is on one thing"
            raise SpecValueError("bad-tap", message, f"keep {listing(named, 'or')}")
        returned = [word for word in ("part", "activation") if getattr(self, word) is not None]
        if self.argument is not None and returned:
            verb = "are" if len(returned) > 1 else "is"
            message = (
                f"{listing(returned)} {verb} about what a function returns, and `argument` puts "
                "the tap on what it takes"
            )
            hint = f"delete `argument`, or delete {listing(returned)}"
            raise SpecValueError("bad-tap", message, hint)
        return self


#: What an alias leads to: a hook, or the first of several that there is.
Targets = Annotated[
    Annotated[HookName, Tag("(hook)")] | Annotated[tuple[HookName, ...], Tag("(hooks)")],
    Discriminator(lambda value: "(hooks)" if isinstance(value, (list, tuple)) else "(hook)"),
]


class Wrapping(Strict):
    """What a shape and a component written out have in common."""

    component: ClassName = Field(description="bridge class of TransformerLens")
    config: bool = Field(False, description="whether the component takes the config")
    options: dict[Identifier, Setting] = Field({}, description="other keywords of the component")
    hooks: dict[HookName, Hook] = {}
    aliases: dict[Identifier, Targets] = Field(
        {}, description="aliases the component adds itself; those that a block shall have"
    )
    taps: dict[HookName, Tap] = Field(
        {}, description="hooks inside HF's forward, by their names below the component"
    )
    fused_in_training: bool = Field(
        False, description="whether HF has a forward for training that calls no submodule"
    )
    submodules: dict[Key, Use] = {}


class Component(Wrapping):
    """A component written out where it is used."""

    path: Path = Field(description="attribute of the HF module around it")
    when: FieldCondition | None = Field(None, description=WHEN)
    unless: FieldCondition | None = Field(None, description=UNLESS)


class ShapeUse(Strict):
    """A component as a shape describes it."""

    shape: ModuleName
    path: Path
    arguments: dict[Key, Passed] = Field(
        {}, alias="with", description="values of parameters, or parameters of the shape around"
    )
    add: dict[Key, Use] = Field({}, description="further submodules")
    hooks: dict[HookName, Hook] = Field({}, description="hooks that differ from the shape's")
    taps: dict[HookName, Tap] = Field({}, description="taps beside those of the shape")
    when: FieldCondition | None = Field(None, description=WHEN)
    unless: FieldCondition | None = Field(None, description=UNLESS)


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
    title: Title
    parameters: dict[Key, Setting] = Field({}, description="names with defaults; null for none")
