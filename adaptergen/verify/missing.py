"""Where a spec names a field that HF's config lacks, told by what was raised for it."""

from __future__ import annotations

from adaptergen.contract import Spot
from adaptergen.contract.checks_model import field_names
from adaptergen.problems import suggestion
from adaptergen.source.source import Node
from adaptergen.verify.models import hf_class
from adaptergen.verify.target import Target


def missing_field(target: Target, error: Exception) -> tuple[Spot, str] | None:
    """The place of the field that an error is about, and what mends it; None if it is of none."""
    config_class = hf_class(target).config_class
    if not isinstance(error, AttributeError) or type(error.obj) is not config_class:
        return None
    name = str(error.name)
    # The spec first, then the shapes that it uses.
    sources = {target.source.path: target.source}
    for top in target.plan.nodes:
        for _, node in top.walk():
            sources.setdefault(node.where.source.path, node.where.source)
    for source in sources.values():
        line = _line(source.root, name)
        if line is not None:
            mend = suggestion(name, field_names(config_class)) or "look the field up"
            return Spot(file=source.path, line=line), mend
    return None


def _line(node: Node, name: str) -> int | None:
    """The first line whose value is the name."""
    if node.value == name:
        return node.span.line
    found = (_line(child, name) for child in node.children.values())
    return next((line for line in found if line is not None), None)
