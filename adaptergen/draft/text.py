"""Data as YAML, laid out as committed specs are: what one line or sentence says in flow style."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

#: As long as a line may be.
_WIDTH = 100
#: A mapping whose text is at most this long stands in one line.
_SHORT = 76


def as_yaml(data: Mapping[str, Any]) -> str:
    """The text of a spec or shape."""
    yaml = YAML()
    yaml.width = 10**6
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(data, 0), stream)
    return "".join(f"{_wrapped(line)}\n" for line in stream.getvalue().rstrip().splitlines())


def _wrapped(line: str) -> str:
    """A line, continued after a comma where it would be too long; in YAML both say the same."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    first, *rest = re.split(r"(?<=,) ", line)
    lines = [first]
    for word in rest:
        if len(lines[-1]) + len(word) < _WIDTH:
            lines[-1] += f" {word}"
        else:
            lines.append(indent + word)
    return "\n".join(lines)


def _styled(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        styled = CommentedMap((key, _styled(one, depth + 1)) for key, one in value.items())
        if depth and (len(repr(dict(value))) <= _SHORT or _is_description(value)):
            styled.fa.set_flow_style()
        return styled
    if isinstance(value, (list, tuple)):
        items = CommentedSeq(_styled(one, depth + 1) for one in value)
        if all(not isinstance(one, (Mapping, list, tuple)) for one in value):
            items.fa.set_flow_style()
        return items
    return value


def _is_description(value: Mapping[str, Any]) -> bool:
    """Whether a mapping describes one thing, such as a hook, and no mapping of things."""
    inner = [one for one in value.values() if isinstance(one, Mapping)]
    begins = isinstance(next(iter(value.values()), None), Mapping)
    return not begins and not any(isinstance(x, Mapping) for one in inner for x in one.values())
