"""What the emitted tests share, and the small files that go with an adapter."""

from __future__ import annotations

from inspect import getsource

from adaptergen.loading import load_checked
from adaptergen.plan.code import class_name
from adaptergen.plan.model import KindPlan, Plan
from adaptergen.prose import comment
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
        "reason": comment(f"{spec.parity.reason}.") if spec.parity else [],
    }


def kind_of_class(plan: Plan, name: str) -> KindPlan | None:
    """The first kind whose component is of a class that the adapter defines."""
    return next((kind for kind in plan.kinds if class_name(kind.node) == name), None)


def render_checkpoint_test(plan: Plan) -> str:
    """Source of the test on a real checkpoint."""
    parity = plan.spec.parity
    types = ("float32", "bfloat16", "float16")
    scaled = {dtype: parity.scaled(dtype) for dtype in types} if parity and parity.within else {}
    coarser = dict.fromkeys(types[1:], parity.coarser_within) if parity else {}
    values = {
        "load_checked": getsource(load_checked),
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
