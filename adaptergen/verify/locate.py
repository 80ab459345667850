"""Which line of a spec or shape promises what a finding or an error is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from adaptergen.contract import MODEL, Finding, Spot
from adaptergen.contract.checks_model import field_names
from adaptergen.plan.model import HookRow, Plan, layer_tables
from adaptergen.plan.node import Node
from adaptergen.problems import suggestion
from adaptergen.source.source import Node as SourceNode
from adaptergen.verify.target import Target


class Written(Protocol):
    """Something with the line of a file that says it."""

    @property
    def file(self) -> str: ...

    @property
    def line(self) -> int: ...


def located(target: Target, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings of the contract with the lines of the spec, and hints that name them."""
    for finding in findings:
        written = _written(target, finding)
        if written is not None:
            at = replace(finding.at, file=written.file, line=written.line)
            finding = replace(finding, at=at)
        if finding.about[:1] == ("shape",) and finding.at.hook and written is not None:
            unset = "unset" in finding.about
            finding = replace(finding, mend=_mend_of_shape(target, finding, written.file, unset))
        yield finding


def hook_row(plan: Plan, kind: str, name: str) -> HookRow | None:
    """The row of a hook of the model, or of layers of a kind."""
    tables = {**dict(layer_tables(plan)), MODEL: plan.model_hooks}
    return next((row for row in tables.get(kind, ()) if row.name == name), None)


def node_of_kind(plan: Plan, kind: str) -> Node:
    """What the layers of a kind bind beside what all have; the block if there are no kinds."""
    return next((one.node for one in plan.kinds if one.name == kind), plan.block)


class _Line:
    """A line of the spec."""

    def __init__(self, target: Target, *loc: str) -> None:
        self.file, self.line = target.source.path, target.line(*loc)


def _written(target: Target, finding: Finding) -> Written | None:
    plan, at = target.plan, finding.at
    about, *names = finding.about or ("",)
    if about == "flag":
        return _Line(target, "config", "flags", *names)
    if about == "cfg":
        return _Line(target, *_of_cfg(plan, names[0]))
    if about == "field":
        branch, name = names
        return _Line(target, "tiny", *(("branches", branch) if branch else ("config",)), name)
    if about in ("cache", "config"):
        return _Line(target, about)
    if about == "layers":
        return _Line(target, "tiny", "kinds")
    if at.kind is None:
        return None
    if about == "kind" or at.hook is None:
        return node_of_kind(plan, at.kind)
    if about == "component":
        return _owner(plan, at.kind, at.hook)
    return hook_row(plan, at.kind, names[0] if about == "alias" else at.hook)


def _of_cfg(plan: Plan, name: str) -> tuple[str, ...]:
    told = plan.spec.blocks.kind
    if told and name == told.listed_in:
        return ("blocks", "kind")
    derived = name in plan.spec.config.derived
    return ("config", "derived", name) if derived else ("config", "from_hf")


def _owner(plan: Plan, kind: str, hook: str, file: str | None = None) -> Node | None:
    """The component that a hook is on, or the nearest around it; of those used in a file."""
    tops = [*plan.shared, *(k.node for k in plan.kinds if k.name == kind)]
    walked = (pair for top in (plan.components if kind == MODEL else tops) for pair in top.walk())
    around = [
        (name, node)
        for name, node in walked
        if hook.startswith(f"{name}.") and file in (None, node.file)
    ]
    found = max(around, key=lambda pair: len(pair[0]), default=None)
    return found[1] if found else (plan.block if kind != MODEL else None)


def _mend_of_shape(target: Target, finding: Finding, described_in: str, has_unset: bool) -> str:
    """A shape may be wrong, or fine and used where another one belongs.

    `has_unset`: one of its axes is a field that the config leaves out.
    """
    spec, at = target.source.path, finding.at
    used = _owner(target.plan, at.kind or MODEL, at.hook or "", spec)
    if used is None or described_in == spec:
        return finding.mend
    if has_unset:
        return f"at {used.file}:{used.line} add `when:` with the field that it depends on"
    return f"at {used.file}:{used.line} use another shape or slot; or {finding.mend}"


def missing_field(target: Target, error: Exception) -> tuple[Spot, str] | None:
    """The place of the field that an error is about, and what mends it; None if it is of none."""
    config_class = target.hf_class.config_class
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


def _line(node: SourceNode, name: str) -> int | None:
    """The first line whose value is the name."""
    if node.value == name:
        return node.span.line
    found = (_line(child, name) for child in node.children.values())
    return next((line for line in found if line is not None), None)
