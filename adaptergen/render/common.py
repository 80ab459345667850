"""What the emitted tests share, and the small files that go with an adapter."""

from __future__ import annotations

from adaptergen import runtime
from adaptergen.plan.model import Plan
from adaptergen.render.environment import fill

#: The contract, where upstream keeps what tests of adapters share.
CONTRACT = "tests.integration.model_bridge.adapter_contract"


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


def render_checkpoint_test(plan: Plan, contract: str = CONTRACT) -> str:
    """Source of the test on a real checkpoint."""
    return fill("checkpoint_test.py.jinja", **common_values(plan), contract=contract)


def render_conftest(plan: Plan) -> str:
    """Source of the conftest that puts the generated module in the place of the installed one."""
    return fill("conftest.py.jinja", **common_values(plan))


def render_register(plan: Plan) -> str:
    """Source of `register.py`."""
    command = plan.header.partition("`")[2].rstrip("`.")
    version = runtime.version()
    return fill(
        "register.py.jinja", **common_values(plan), command=command, runtime_version=version
    )
