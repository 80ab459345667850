"""The door through which YAML files come in."""

from adaptergen.source.mend import Mended, mend
from adaptergen.source.source import ANY, Source, read_source
from adaptergen.source.validate import validate

__all__ = ["ANY", "Mended", "Source", "mend", "read_source", "validate"]
