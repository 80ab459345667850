"""What a config class of transformers takes, as data."""

from __future__ import annotations

from pydantic import Field

from adaptergen.facts.base import Fact, Json


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
