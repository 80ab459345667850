"""One entry of a lock: what an adapter rests on, as observed with one release of transformers.

Everything is a fact of the releases: no addresses, no times, no line numbers. Modules are those of
the first layer of each kind, by their path in the layer; `model` stands for what lies outside the
layers. What is empty is left out of the file.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, RootModel
from pydantic import Field as Described

#: What is run: see `adaptergen.facts`.
SCENARIOS = ("prefill", "decode", "no_cache", "padded")

#: Where a fact stands that is of no kind of layer.
OUTSIDE = "model"


class Fact(BaseModel):
    """Observed once, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Model(Fact):
    """The classes of transformers."""

    cls: str = Described(description="qualified name of the model's class")
    config: str = Described(description="qualified name of its config's class")
    returns: str = Described("", description="class of what a forward returns")
    cache: str = Described("", description="class of the cache that generation makes")
    generation: str = Described("", description="why generation raises, if it does")
    layers: str = Described("", description="path of the list of layers")
    fields: tuple[str, ...] = Described((), description="names that the config takes")
    told_by: str = Described("", description="attribute of a block that says its kind")
    tied: tuple[str, ...] = Described((), description="names of one weight, joined by =")


class Field(Fact):
    """A field of the HF config that the spec names."""

    type: str = ""
    default: str = ""
    alias_of: str = ""
    value: str = Described("", description="on the tiny model")


class Kind(Fact):
    """A kind of layer: what HF calls it, and what the cache keeps of its layers."""

    word: str = Described("", description="what the block or config calls it, if anything")
    layers: tuple[int, ...] = Described((), description="of the tiny model")
    cache: str = Described("", description="class of the cache's layer")
    states: dict[str, str] = Described({}, description="tensors in it, with their shapes")


class Module(Fact):
    """A module of HF, or an empty place for one."""

    cls: str = Described("", description="qualified name; empty where the config leaves it out")
    identity: bool = False
    component: str = Described("", description="what the adapter binds to it, by its dotted name")
    parameters: dict[str, str] = Described({}, description="its own, with their shapes")
    buffers: dict[str, str] = Described({}, description="the same, of what is no weight")
    called: tuple[str, ...] = Described(SCENARIOS, description="scenarios in which it is called")
    takes: str = ""
    returns: str = ""
    used_by: tuple[str, ...] = Described(
        (), description="functions that use its parameters while it is not called"
    )


class Hook(Fact):
    """A hook of the adapter, as it behaved on the tiny model."""

    state: str = Described("live", description="live, read_only or silent, in a plain run")
    in_decode: bool = Described(True, description="whether a decode step fires it too")
    shape: str = ""
    dtype: str = "float32"
    rms: float | None = Described(
        None, description="root mean square with weights that are numbered, not random"
    )


class Logits(Fact):
    """What HF computes, with weights that are numbered, not random."""

    shape: str
    dtype: str = "float32"
    first: tuple[float, ...] = Described((), description="of the first row's last token")


class Branch(Fact):
    """Another tiny model of the spec, by what is not as in the first."""

    logits: dict[str, Logits] = Described({}, description="of HF, by scenario")
    raises: dict[str, str] = Described({}, description="why a forward raises, by scenario")
    modules: dict[str, dict[str, Module]] = {}
    lacks: dict[str, tuple[str, ...]] = Described({}, description="modules it does not have")
    hooks: dict[str, dict[str, Hook]] = Described({}, description="that the first does not have")
    error: str = ""


class Entry(Fact):
    """Everything observed with one release."""

    model: Model
    config: dict[str, Field] = {}
    cfg: dict[str, str] = Described({}, description="what reached the config of TransformerLens")
    kinds: dict[str, Kind] = {}
    modules: dict[str, dict[str, Module]] = Described(
        {}, description="by kind, or several joined by `+`, then by path"
    )
    hooks: dict[str, dict[str, Hook]] = Described({}, description="by kind, then by name")
    order: tuple[str, ...] = Described((), description="`kind/hook` as they fire")
    logits: dict[str, Logits] = Described({}, description="of HF, by scenario")
    raises: dict[str, str] = Described({}, description="why a forward raises, by scenario")
    error: str = Described("", description="why the adapter cannot be used on the model")
    branches: dict[str, Branch] = {}


class FactTree(RootModel[dict[str, "FactTree | Leaf"]]):
    """Facts by name. One that changed has its values by `@` and the release since which they hold.

    `null` is no such fact.
    """

    model_config = ConfigDict(defer_build=True)


Leaf = str | int | float | bool | None | tuple[str | int | float, ...]


class LockFile(Fact):
    """What was observed of transformers that an adapter rests on, with every release, as a file."""

    model_config = ConfigDict(defer_build=True)

    format: Literal["adaptergen/lock/1"] = Described(alias="schema")
    tool: Literal["adaptergen"]
    digest: str = Described(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the rest, as JSON with sorted keys and no blanks",
    )
    spec: str = Described(description="path of the spec in its project")
    architecture: str = Described(description="class of transformers")
    releases: tuple[Annotated[str, Described(pattern="^[^/]+/[^/]+$")], ...] = Described(
        min_length=1,
        description="transformers/transformer-lens, oldest first",
        json_schema_extra={"uniqueItems": True},
    )
    facts: FactTree = Described(
        description="by the fields of an `Entry`, each fact once",
        json_schema_extra={
            "required": ["model"],
            "propertyNames": {"enum": list(Entry.model_fields)},
        },
    )
