"""Which component a hook is on, and what is to be mended where its shape is wrong."""

from __future__ import annotations

from adaptergen.plan.node import Node
from adaptergen.verify.findings import MODEL
from adaptergen.verify.subject import Subject


def owner(subject: Subject, kind: str, hook: str, file: str | None = None) -> Node | None:
    """The component that a hook is on, or the nearest around it; of those used in a file."""
    plan = subject.plan
    tops = [*plan.shared, *(k.node for k in plan.kinds if k.name == kind)]
    walked = (pair for top in (plan.components if kind == MODEL else tops) for pair in top.walk())
    around = [
        (name, node)
        for name, node in walked
        if hook.startswith(f"{name}.") and file in (None, node.file)
    ]
    found = max(around, key=lambda pair: len(pair[0]), default=None)
    return found[1] if found else (plan.block if kind != MODEL else None)


def mend_of_shape(
    subject: Subject, kind: str, hook: str, described_in: str, has_unset: bool
) -> str:
    """A shape may be wrong, or fine and used where another one belongs.

    `has_unset`: one of its axes is a field that the config leaves out.
    """
    mend = "mend the shape here, or the arithmetic of a derived value in it"
    spec = subject.target.source.path
    used = owner(subject, kind, hook, spec)
    if used is None or described_in == spec:
        return mend
    if has_unset:
        return f"at {used.file}:{used.line} add `when:` with the field that it depends on"
    return f"at {used.file}:{used.line} use another shape or slot; or {mend}"
