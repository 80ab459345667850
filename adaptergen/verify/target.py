"""What is verified: a plan, the adapter that a build makes of it, and the lines of its spec."""

from __future__ import annotations

import linecache
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from adaptergen.contract import AdapterTables, Finding, Spot, models
from adaptergen.generate import plan as plan_of
from adaptergen.plan.model import Plan
from adaptergen.problems import quote, suggestion
from adaptergen.render.adapter import render_adapter
from adaptergen.render.tables import adapter_tables
from adaptergen.runtime import install


@dataclass(frozen=True)
class Target:
    """A plan, its adapter class, made but not registered, and its tables."""

    plan: Plan
    adapter: Any
    tables: AdapterTables

    @property
    def architecture(self) -> str:
        """The name of the class of transformers that the spec is about."""
        return self.plan.spec.architecture

    @property
    def hf_class(self) -> Any:
        """That class."""
        return models.hf_class(self.architecture)

    def config_of_file(self, fields: Mapping[str, Any]) -> Any:
        """A config with the fields of a config.json, which may be those of an older release."""
        return self.hf_class.config_class.from_dict(dict(fields), attn_implementation="eager")


def load_target(path: Path, text: str | None = None) -> Target:
    """The target of the spec at `path`. Raises `Failed` with every problem of the spec.

    What a build would write is run before it is formatted, which changes nothing that it does.
    `text` is the adapter's source where it is another.
    """
    plan = plan_of(path)
    return make_target(plan, text or render_adapter(plan))


def make_target(plan: Plan, text: str) -> Target:
    """The target of a plan, with this text of its adapter, under a name that no import finds."""
    shown = f"<adaptergen {plan.spec.module}.py>"
    # So that a traceback shows lines of a file that does not exist.
    linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
    install()
    module = ModuleType(f"adaptergen_generated_{plan.spec.module}")
    exec(compile(text, shown, "exec"), module.__dict__)
    return Target(plan, getattr(module, plan.adapter_class), adapter_tables(plan))


class Disagreement(Exception):
    """What a spec says of HF's model is not so, and nothing can be done without it."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.what}; {finding.mend}")


def layer_kinds(target: Target, model: Any) -> list[str]:
    """The kind of each layer of a model that is not wrapped, as HF's blocks tell it.

    A layer that the spec has no kind for is reported as HF names it. Raises `Disagreement` if HF's
    blocks do not tell it as the spec says.
    """
    told_by = target.tables.told_by
    for block in model.get_submodule(target.tables.blocks) if told_by else ():
        if not hasattr(block, told_by):
            what = f"{quote(type(block).__name__)} has no attribute {quote(told_by)}"
            known = [name for name in vars(block) if not name.startswith("_")]
            mend = suggestion(told_by, known) or "look the attribute up in transformers"
            place = target.plan.at("blocks", "kind", "attribute")
            at = Spot(file=place.file, line=place.line)
            raise Disagreement(Finding("kinds", what, told_by, "nothing", mend, at))
    return list(models.layer_kinds(target.tables, model))
