"""Data as YAML, laid out as committed specs are: short mappings in one line, the rest in blocks."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

_WIDTH = 100
#: A mapping or list whose text is at most this long stands in one line.
_SHORT = 76


def as_yaml(data: Mapping[str, Any]) -> str:
    """The text of a spec or shape."""
    yaml = YAML()
    yaml.width = _WIDTH
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(data, 0), stream)
    return stream.getvalue()


def _styled(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        styled = CommentedMap((key, _styled(one, depth + 1)) for key, one in value.items())
        if depth and len(repr(dict(value))) <= _SHORT:
            styled.fa.set_flow_style()
        return styled
    if isinstance(value, (list, tuple)):
        items = CommentedSeq(_styled(one, depth + 1) for one in value)
        if all(not isinstance(one, (Mapping, list, tuple)) for one in value):
            items.fa.set_flow_style()
        return items
    return value
