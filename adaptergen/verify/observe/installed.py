"""One spec observed with the installed releases, whatever they do."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from adaptergen.inspection.failures import failed, guarded
from adaptergen.inspection.limit import limited
from adaptergen.inspection.target import Target as ModelClass
from adaptergen.inspection.target import load_class
from adaptergen.lock.entry import Entry
from adaptergen.plan import Plan
from adaptergen.problems import Failed
from adaptergen.render.adapter import render_adapter
from adaptergen.source import Source
from adaptergen.verify.observe.entry import observe_entry
from adaptergen.verify.target import make_target

#: What a release does to a model, and not what is missing here.
BROKEN = frozenset({"hf-class", "hf-config", "hf-forward"})


def observed(plan: Plan, source: Source, seconds: float, known: Entry | None = None) -> Entry:
    """What is observed for a spec; see `observe_entry` for `known`.

    It runs apart, in a process of its own. Raises `Failed` with a code of `hf-`.
    """
    architecture = plan.spec.architecture
    # Here and not apart, so that several specs share what it imports.
    load_class(ModelClass(architecture))
    # The process that is forked shares memory as long as neither touches it.
    gc.freeze()
    text = limited(_apart(plan, source, known), seconds, architecture)
    return Entry.model_validate_json(text)


def _apart(plan: Plan, source: Source, known: Entry | None) -> Callable[[], str]:
    def run() -> str:
        what = f"the adapter of {plan.spec.architecture} cannot be imported"
        text = render_adapter(plan)
        target = guarded("hf-import", what, _VERSIONS, lambda: make_target(plan, source, text))
        what = f"{plan.spec.architecture} cannot be observed on its tiny model"
        hint = f"check `tiny:` in {source.path} against this release of transformers"
        entry: Any = guarded("hf-forward", what, hint, lambda: observe_entry(target, known))
        return str(entry.model_dump_json(exclude_defaults=True))

    return run


_VERSIONS = "install versions of transformers and transformer-lens that the spec is proved on"


def not_usable(plan: Plan, source: Source, entry: Entry) -> Failed:
    """The adapter cannot be used on what was observed."""
    message = f"the adapter of {plan.spec.architecture} cannot be used: {entry.error}"
    return failed("hf-forward", message, f"run `adaptergen verify {source.path}`")
