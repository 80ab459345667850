"""The spec of one architecture: what the model is, and nothing of how an adapter is written.

It names the HF class, the modules that TransformerLens wraps, and, where layers are of several
kinds, what each kind has. How a kind of module is wrapped and what its hooks hold is a shape's
(see `adaptergen.spec.shape`). A spec holds no code: names are checked, derived values are
arithmetic, and there is neither inheritance nor a loop. The models check each part by itself; how
parts fit together is checked in `adaptergen.plan`, where some of them may be broken.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from adaptergen.spec.arithmetic import Arithmetic
from adaptergen.spec.shape import ShapeUse, Strict, Targets, Use
from adaptergen.spec.values import (
    AttributePath,
    ClassName,
    FileVersion,
    HFClassName,
    HookName,
    HubId,
    HubOwner,
    Identifier,
    Key,
    ModuleName,
    Releases,
    Setting,
    Text,
    Title,
    Version,
)

_Plain = Setting | tuple[Setting, ...]
#: A config inside a config has one inside at most, such as that of its rotation.
TinyValue = _Plain | dict[Identifier, _Plain | dict[Identifier, _Plain]]
#: The kind of a layer, or all kinds that it is of.
KindsOfLayer = Annotated[
    Annotated[Identifier, Tag("(kind)")] | Annotated[tuple[Identifier, ...], Tag("(kinds)")],
    Discriminator(lambda value: "(kinds)" if isinstance(value, (list, tuple)) else "(kind)"),
]


class VerifiedWith(Strict):
    """Versions on which the generated tests were run."""

    transformer_lens: tuple[Version, ...] = Field(min_length=1)
    transformers: tuple[Version, ...] = Field(min_length=1)


class Config(Strict):
    """What the adapter puts on the config of TransformerLens."""

    flags: dict[Identifier, Setting] = Field({}, description="fields of cfg, set as they stand")
    adapter: dict[Identifier, Setting] = Field(
        {}, description="attributes of the adapter class, set as they stand"
    )
    from_hf: tuple[Identifier, ...] = Field((), description="fields of the HF config to carry over")
    derived: dict[Identifier, Arithmetic] = Field(
        {}, description="arithmetic over the fields and over values derived before"
    )


class KindOfLayer(Strict):
    """The source of the kind of each layer, among the kinds without `has_submodule`."""

    attribute: Identifier = Field(description="attribute of the HF block")
    listed_in: Identifier = Field(description="field of the HF config with a kind for each layer")


class Kind(ShapeUse):
    """A kind of layer: the slot its module takes on the block, and how it is wrapped."""

    slot: Key = Field(
        description="key under which the block binds the module; TransformerLens knows `attn`, "
        "`mlp`, `mixer` and `linear_attn`"
    )
    has_submodule: AttributePath | None = Field(
        None,
        description="submodule that a HF block of this kind has, and blocks without it have not",
    )
    formerly: tuple[Identifier, ...] = Field((), description="names in older releases")


class Blocks(ShapeUse):
    """The layers."""

    submodules: dict[Key, Use] = Field({}, description="what every layer has")
    aliases: dict[Identifier, Targets] = Field(
        {},
        description="names of the block for hooks in it, beside those of its class and its shape; "
        "of several hooks, for the first that a layer has",
    )
    kind: KindOfLayer | None = None
    kinds: dict[Identifier, Kind] = Field({}, description="what the layers of each kind have")


class Tiny(Strict):
    """A model that is small enough for a test and has every kind of layer."""

    config: dict[Identifier, TinyValue] = Field(description="keywords of the HF config class")
    kinds: tuple[KindsOfLayer, ...] = Field((), description="kind, or kinds, of each layer")
    branches: dict[Identifier, dict[Identifier, TinyValue]] = Field(
        {}, description="further models, by what they change"
    )
    releases: dict[Identifier, Releases] = Field(
        {}, description="releases of transformers in which HF itself can run a branch"
    )


class Spec(Strict):
    """A file in `specs/`; its name is the name of the module."""

    version: FileVersion = Field(alias="spec")
    architecture: HFClassName = Field(
        description="HF class, as in `architectures` of a config.json"
    )
    module: ModuleName
    name: ClassName = Field(description="what the names of the generated classes start with")
    title: Title
    description: Text
    notes: tuple[Text, ...] = ()
    authors: tuple[HubOwner, ...] = Field(
        min_length=1, description="owners of checkpoints on the Hub"
    )
    checkpoints: tuple[HubId, ...] = Field(min_length=1)
    verified_with: VerifiedWith
    config: Config
    cache: Literal["DynamicCache"] | None = Field(
        None, description="class of the cache that holds states next to keys and values"
    )
    components: dict[Identifier, Use] = Field(
        description="what is outside the layers; a block there is a further list of layers, such "
        "as those of an encoder"
    )
    blocks: Blocks
    tiny: Tiny
    replaces: dict[HookName, HookName | None] = Field(
        {}, description="hooks of the adapter that TransformerLens has, and what serves instead"
    )
