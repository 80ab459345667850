"""What was observed of one model class under one release of transformers.

Everything is a fact of the release and not of the run: no addresses, no times, nothing random.
A layer is identified by its kind, and a function by its qualified name. Where order means something
(calls, layers, axes) it is that of the model; everything else is sorted, so that equal facts are
equal bytes.

A path inside a layer is relative to the layer, "" is the layer itself; outside it starts at the
model, and `*` stands for every number, so `mlp.experts.*.up_proj` is one module for all experts.
"""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Literal[1] = 1

Scenario = Literal["prefill", "decode", "no_cache", "padded"]
#: Tokens with a cache; one more token with that cache; tokens without a cache; a batch with
#: padding on the left and an attention mask, with a cache.
SCENARIOS: tuple[Scenario, ...] = ("prefill", "decode", "no_cache", "padded")

#: A value as JSON holds it; what JSON cannot hold is its `repr`.
Json = Any


class Fact(BaseModel):
    """A frozen record; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ConfigField(Fact):
    """A field that the config class declares, itself or by a base other than that of all."""

    type: str = Field(description="text of the annotation; empty where there is none")
    default: Json = Field(None, description="as JSON; `repr` of what JSON cannot hold")
    required: bool = False


class Vocabulary(Fact):
    """The words for kinds of layer."""

    field: str = Field(description="field of the config with a word for each layer")
    words: tuple[str, ...] = Field((), description="words that make a config and a model, sorted")
    older: dict[str, str] = Field({}, description="older word to what the config makes of it")


class ConfigFacts(Fact):
    """A config class."""

    cls: str = Field(description="qualified name")
    model_type: str = ""
    fields: dict[str, ConfigField] = Field({}, description="by name, sorted")
    aliases: dict[str, str] = Field({}, description="`attribute_map`: other name to field")
    older: dict[str, str] = Field(
        {}, description="older name still taken, to the field it sets; empty where none is seen"
    )
    none: tuple[str, ...] = Field((), description="fields whose value is None by default, sorted")
    vocabulary: Vocabulary | None = Field(None, description="None if no field lists kinds")


class Parameter(Fact):
    """A parameter or buffer."""

    shape: tuple[int, ...] = Field(description="of the tiny model")
    sizes: tuple[tuple[str, ...], ...] = Field(
        (), description="per axis, the config fields, or products of two, that have this value"
    )
    buffer: bool = False


class Module(Fact):
    """A module, or a place for one that this config leaves empty."""

    path: str
    cls: str = Field("", description="qualified name; empty if absent")
    state: Literal["module", "identity", "absent"] = "module"
    parameters: dict[str, Parameter] = Field({}, description="its own, by name, sorted")


class Kind(Fact):
    """Layers that hold the same modules.

    The name is the config's word for it, or `layer` if it has none. Where layers of one word hold
    different modules, what differs follows in brackets: `layer[mlp=DeepseekV2MoE]`.
    """

    name: str
    word: str = Field("", description="the config's or block's word; empty if there is none")
    layers: tuple[int, ...]
    modules: tuple[Module, ...] = Field(description="of one layer, sorted by path")


class Value(Fact):
    """What a module takes or returns."""

    type: Literal["tensor", "tuple", "list", "dict", "output", "cache", "none", "plain", "object"]
    cls: str = Field("", description="qualified name, for output, cache and object; type of plain")
    shape: tuple[str, ...] = Field(
        (), description="of a tensor: `batch`, `pos`, names of config fields, or numbers"
    )
    dtype: str = ""
    hidden: bool = Field(
        False, description="has the shape of hidden states, [batch, pos, hidden_size]"
    )
    items: tuple[Value, ...] = Field((), description="of a tuple or list, in order")
    keys: dict[str, Value] = Field({}, description="of a dict or output")


class Call(Fact):
    """One call of a module through `__call__`, so that hooks on it fire."""

    path: str
    takes: dict[str, Value] = Field(description="by the parameter's name, in order of the call")
    returns: Value


class Trace(Fact):
    """The calls of one forward, in the order in which they begin; a repeated path stands once.

    Outside the layers, the layers as a whole stand as one call at `Branch.layers_path` + `.*`.
    Inside, calls are those of the first layer of the kind.
    """

    error: str = Field("", description="why the forward raised; then there are no calls")
    returns: Value | None = None
    outside: tuple[Call, ...] = ()
    inside: dict[str, tuple[Call, ...]] = Field({}, description="by name of the kind")


class Functional(Fact):
    """A parameter that is used while its module is not called: hooks on the module are dead."""

    kind: str = Field(description="name of the kind of layer; empty outside the layers")
    parameter: str = Field(description="path of the parameter, as `conv1d.weight`")
    module: str = Field(description="path of the module that is not called")
    function: str = Field(description="qualified name of the function that uses it")
    how: Literal["read", "operation", "method"] = Field(
        description="read: taken off the module there; operation: held elsewhere and used in an "
        "operation of torch there; method: by a method of the module that is not `__call__`"
    )
    scenarios: tuple[Scenario, ...]
    file: str = Field("", description="of the function, relative to the folder of packages")
    line: int = Field(0, description="where it is used; changes with every edit above it")


class CacheLayer(Fact):
    """What the cache keeps of layers of one kind."""

    kind: str
    cls: str = Field(description="qualified name of the cache's layer; empty if it has none")
    states: dict[str, tuple[str, ...]] = Field(
        {}, description="tensors by name of the attribute, with their shapes as in `Value`"
    )


class CacheFacts(Fact):
    """The cache that generation makes."""

    cls: str = Field("", description="qualified name; empty if there is none")
    error: str = Field("", description="why generation raised")
    layers: tuple[CacheLayer, ...] = Field((), description="sorted by kind and class")


class Branch(Fact):
    """One tiny model: `default`, or one for a branch that the config opens."""

    name: str
    settings: dict[str, Json] = Field(description="what the config was made with, sorted")
    differs: dict[str, Json] = Field({}, description="those that differ from `default`, sorted")
    error: str = Field("", description="why it cannot be built; then nothing else is known")
    layers_path: str = Field(description="of the list of layers; empty if none was found")
    kinds: tuple[Kind, ...] = Field(description="in the order of their first layers")
    modules: tuple[Module, ...] = Field(description="outside the layers, sorted by path")
    tied: tuple[tuple[str, ...], ...] = Field((), description="names of one and the same weight")
    traces: dict[Scenario, Trace] = Field({})
    functional: tuple[Functional, ...] = ()
    unused: tuple[str, ...] = Field(
        (), description="`kind:path` of modules with parameters that no scenario calls or reads"
    )
    cache: CacheFacts = CacheFacts()


class Attention(Fact):
    """Implementations of attention."""

    default: str = Field("", description="which the model takes when none is asked for")
    supported: tuple[str, ...] = Field((), description="which the class says it has, sorted")


class Facts(Fact):
    """Everything observed of one model class."""

    format: Literal[1] = FORMAT
    transformers: str = Field(description="version")
    architecture: str = Field(description="name of the class")
    cls: str = Field(description="its qualified name")
    config: ConfigFacts
    attention: Attention = Attention()
    branches: tuple[Branch, ...] = Field(description="`default` first, the others sorted by name")

    def to_json(self) -> str:
        """As text, without fields that have their default; `model_validate_json` reads it."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        return json.dumps({"format": FORMAT, **content}, indent=1, ensure_ascii=False) + "\n"
