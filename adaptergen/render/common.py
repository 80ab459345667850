"""What the emitted tests share, and the small files that go with an adapter."""

from __future__ import annotations

import textwrap

from adaptergen.plan.model import Plan
from adaptergen.render.environment import fill


def common_values(plan: Plan) -> dict[str, object]:
    """What every template is told."""
    spec = plan.spec
    return {
        "header": plan.header,
        "title": spec.title,
        "architecture": spec.architecture,
        "module": spec.module,
        "adapter_class": plan.adapter_class,
        "adapter_module": f"{plan.package}.{spec.module}",
        "checkpoint": spec.checkpoints[0],
        "env": spec.module.upper(),
    }


def render_checkpoint_test(plan: Plan) -> str:
    """Source of the test on a real checkpoint."""
    parity = plan.spec.parity
    types = ("float32", "bfloat16", "float16")
    scaled = {dtype: parity.scaled(dtype) for dtype in types} if parity and parity.within else {}
    coarser = dict.fromkeys(types[1:], parity.coarser_within) if parity else {}
    values = {
        "reason": textwrap.wrap(f"{parity.reason}.", 98, break_on_hyphens=False) if parity else [],
        "scaled": list(scaled.items()),
        "coarser": [pair for pair in coarser.items() if pair[1]],
    }
    return fill("checkpoint_test.py.jinja", **common_values(plan), **values)


def render_conftest(plan: Plan) -> str:
    """Source of the conftest that puts the generated module in the place of the installed one."""
    return fill("conftest.py.jinja", **common_values(plan))


def render_register(plan: Plan) -> str:
    """Source of `register.py`."""
    return fill("register.py.jinja", **common_values(plan))
