"""What is verified: a plan, the adapter that a build makes of it, and the lines of its spec."""

from __future__ import annotations

import linecache
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from adaptergen.contract import AdapterTables
from adaptergen.generate import plan_and_source
from adaptergen.plan.model import Plan
from adaptergen.render.adapter import render_adapter
from adaptergen.render.tables import adapter_tables
from adaptergen.runtime import install
from adaptergen.source.source import Source


@dataclass(frozen=True)
class Target:
    """A plan with its spec's file, its adapter class, made but not registered, and its tables."""

    plan: Plan
    source: Source
    adapter: Any
    tables: AdapterTables

    def line(self, *loc: str | int) -> int:
        """The line of a key of the spec."""
        return self.source.place(loc, key=True).line


def load_target(path: Path, text: str | None = None) -> Target:
    """The target of the spec at `path`. Raises `Failed` with every problem of the spec.

    What a build would write is run before it is formatted, which changes nothing that it does.
    `text` is the adapter's source where it is another.
    """
    plan, source = plan_and_source(path)
    return make_target(plan, source, text or render_adapter(plan))


def make_target(plan: Plan, source: Source, text: str) -> Target:
    """The target of a plan, with this text of its adapter."""
    module = import_text(text, plan.spec.module)
    return Target(plan, source, getattr(module, plan.adapter_class), adapter_tables(plan))


def import_text(text: str, name: str) -> ModuleType:
    """A module made of source text, under a name that no import finds."""
    shown = f"<adaptergen {name}.py>"
    # So that a traceback shows lines of a file that does not exist.
    linecache.cache[shown] = (len(text), None, text.splitlines(keepends=True), shown)
    install()
    module = ModuleType(f"adaptergen_generated_{name}")
    exec(compile(text, shown, "exec"), module.__dict__)
    return module
