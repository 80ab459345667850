"""The README of a package: what it has, how it is used, and every hook of every adapter."""

from __future__ import annotations

from collections.abc import Sequence

from adaptergen.plan.model import Plan
from adaptergen.render.hook_page import render_hook_page
from adaptergen.render.templates import fill


def render_readme(
    plans: Sequence[Plan], discovered: Sequence[str], values: dict[str, object]
) -> str:
    """The page, in Markdown; `discovered` are architectures that have entry points."""
    rows = [_row(plan, discovered) for plan in plans]
    titles = [plan.spec.title for plan in plans if plan.spec.architecture in discovered]
    text = {
        **values,
        "adapters": rows,
        "discovered": [row for row in rows if row["discovered"]],
        "discovered_titles": series(titles),
        "variables": series([f"`{plan.spec.module.upper()}_CHECKPOINT`" for plan in plans]),
        "header": str(values["header"]).removeprefix("# "),
    }
    return fill("plugin/README.md.jinja", **text)


def series(names: Sequence[str]) -> str:
    """Names in a sentence: `a`, `a and b`, `a, b and c`."""
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _row(plan: Plan, discovered: Sequence[str]) -> dict[str, object]:
    spec = plan.spec
    return {
        "title": spec.title,
        "architecture": spec.architecture,
        "adapter_class": plan.adapter_class,
        "checkpoint": spec.checkpoints[0],
        "discovered": spec.architecture in discovered,
        "verified_with_transformer_lens": ", ".join(spec.verified_with.transformer_lens),
        "verified_with_transformers": ", ".join(spec.verified_with.transformers),
        "hook_page": _as_section(render_hook_page(plan)),
    }


def _as_section(page: str) -> str:
    """A page with its headings one level down, without the comment that opens it."""
    _, _, text = page.partition("\n")
    lines = (f"#{line}" if line.startswith("#") else line for line in text.splitlines())
    return "\n".join(lines)
