"""Which line of a spec or shape promises what a finding or an error is about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from adaptergen.contract import MODEL, Finding, Spot
from adaptergen.contract.checks_model import field_names
from adaptergen.lock.declared import hook_rows_of
from adaptergen.plan.model import HookRow, Plan
from adaptergen.plan.node import Location, Node
from adaptergen.problems import suggestion
from adaptergen.source.source import Node as SourceNode
from adaptergen.verify.target import Target


def located(target: Target, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings of the contract with the lines of the spec, and hints that name them."""
    for finding in findings:
        written = _written(target, finding)
        if written is not None:
            at = replace(finding.at, file=written.file, line=written.line)
            finding = replace(finding, at=at)
            if finding.about[:1] == ("shape",) and finding.at.hook:
                finding = replace(finding, mend=_fix_of_shape(target, finding, written.file))
        yield finding


def _written(target: Target, finding: Finding) -> Location | None:
    """The place that promises what a finding is about."""
    plan, at = target.plan, finding.at
    about, *names = finding.about or ("",)
    locs: dict[str, tuple[str, ...]] = {
        "flag": ("config", "flags", *names),
        "cache": ("cache",),
        "config": ("config",),
        "layers": ("tiny", "kinds"),
    }
    if about == "cfg":
        locs[about] = _of_cfg(plan, names[0])
    elif about == "field":
        branch, name = names
        locs[about] = ("tiny", *(("branches", branch) if branch else ("config",)), name)
    if about in locs:
        return plan.at(*locs[about])
    if at.kind is None:
        return None
    found: Node | HookRow | None
    if about == "kind" or at.hook is None:
        # What the layers of a kind bind beside what all have; the block if there are no kinds.
        found = next((one.node for one in plan.kinds_of(at.kind)), plan.block)
    elif about == "component":
        found = _owner(plan, at.kind, at.hook)
    else:
        found = hook_rows_of(plan, at.kind).get(names[0] if about == "alias" else at.hook)
    return found.where if found else None


def _of_cfg(plan: Plan, name: str) -> tuple[str, ...]:
    source = plan.spec.blocks.kind
    if source and name == source.listed_in:
        return ("blocks", "kind")
    derived = name in plan.spec.config.derived
    return ("config", "derived", name) if derived else ("config", "from_hf")


def _owner(plan: Plan, kind: str, hook: str, file: str | None = None) -> Node | None:
    """The component that a hook is on, or the nearest around it; of those used in a file."""
    tops = plan.components if kind == MODEL else plan.bound_in(kind)
    walked = (pair for top in tops for pair in top.walk())
    around = [
        (name, node)
        for name, node in walked
        if hook.startswith(f"{name}.") and file in (None, node.where.file)
    ]
    found = max(around, key=lambda pair: len(pair[0]), default=None)
    return found[1] if found else (plan.block if kind != MODEL else None)


def _fix_of_shape(target: Target, finding: Finding, described_in: str) -> str:
    """A shape may be wrong, or fine and used where another one belongs."""
    spec, at = target.plan.at().file, finding.at
    used = _owner(target.plan, at.kind or MODEL, at.hook or "", spec)
    if used is None or described_in == spec:
        return finding.mend
    place = f"{used.where.file}:{used.where.line}"
    if "unset" in finding.about:
        # One of its axes is a field that the config leaves out.
        return f"at {place} add `when:` with the field that it depends on"
    return f"at {place} use another shape or slot; or {finding.mend}"


def missing_field(target: Target, error: Exception) -> tuple[Spot, str] | None:
    """The place of the field that an error is about, and what mends it; None if it is of none."""
    config_class = target.hf_class.config_class
    if not isinstance(error, AttributeError) or type(error.obj) is not config_class:
        return None
    name = str(error.name)
    # The spec first, then the shapes that it uses.
    sources = {target.plan.at().file: target.plan.at().source}
    for top in target.plan.nodes:
        for _, node in top.walk():
            sources.setdefault(node.where.file, node.where.source)
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
