"""The bare process that a build is compared with: it imports the libraries of a build, and formats.

From each library it imports what adaptergen does.

    python benchmarks/formatting.py TEXTS

TEXTS is a JSON list of the texts that a build hands to the formatters. Prints the seconds of
processor time that formatting took, without the imports.
"""

import json
import sys
import time

# ruff: noqa: F401
import black
import isort
import jinja2
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.errors import PydanticUserError
from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError

if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        texts = json.load(file)
    start = time.process_time()
    config = isort.Config(profile="black", known_first_party=("transformer_lens",))
    mode = black.Mode(line_length=100)
    for text in texts:
        black.format_str(isort.code(text, config=config), mode=mode)
    print(time.process_time() - start)
