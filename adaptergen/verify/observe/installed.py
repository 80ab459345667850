"""One spec observed with the installed releases."""

from __future__ import annotations

from adaptergen.inspection.fault_isolation import failed, guarded
from adaptergen.inspection.target import Target as ModelClass
from adaptergen.inspection.target import load_class
from adaptergen.lock.entry import Entry
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.source.source import Source
from adaptergen.verify.observe.entry import observe_entry
from adaptergen.verify.target import make_target

#: What a release does to a model, and not what is missing here.
BROKEN = frozenset({"hf-class", "hf-config", "hf-forward"})


def observed(plan: Plan, source: Source, known: Entry | None = None) -> Entry:
    """What is observed for a spec; see `observe_entry` for `known`.

    It may take any time and do anything, so it is to be run apart. Raises `Failed` with a code of
    `hf-`.
    """
    architecture = plan.spec.architecture
    load_class(ModelClass(architecture))
    text = render_adapter(plan)
    what = f"the adapter of {architecture} cannot be imported"
    target = guarded("hf-import", what, _VERSIONS, lambda: make_target(plan, source, text))
    what = f"{architecture} cannot be observed on its tiny model"
    hint = (
        f"run `adaptergen inspect {architecture}`: in this release layers, or what says their "
        f"kinds, may be elsewhere than {source.path} says"
    )
    entry: Entry = guarded("hf-forward", what, hint, lambda: observe_entry(target, known))
    return entry


_VERSIONS = "install versions of transformers and transformer-lens that the spec was verified with"


def not_usable(plan: Plan, source: Source, entry: Entry) -> Failed:
    """The adapter cannot be used on what was observed."""
    message = f"the adapter of {plan.spec.architecture} cannot be used: {entry.error}"
    return failed("hf-forward", message, f"run `adaptergen verify {source.path}`")
