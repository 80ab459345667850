"""The door through which YAML files come in."""

from adaptergen.source.source import Source, read_source
from adaptergen.source.validate import validate

__all__ = ["Source", "read_source", "validate"]
