"""The unit and tiny tests of an adapter: its tables, and a class around them."""

from __future__ import annotations

from adaptergen.plan.model import Plan
from adaptergen.render.common import common_values
from adaptergen.render.environment import fill
from adaptergen.render.tables import adapter_tables, tables_code, used_classes

#: Where the contract and the tests of tiny models are, as upstream keeps them.
PACKAGE = "tests.integration.model_bridge"
_CONTRACT = "adapter_contract"


def render_tiny_test(plan: Plan, package: str = PACKAGE) -> str:
    """Source of the test on tiny random models; `package` has the contract beside it, if any."""
    tables = adapter_tables(plan)
    return fill(
        "tiny_test.py.jinja",
        **common_values(plan),
        contract=_beside(package, _CONTRACT),
        classes=sorted({"AdapterContract", *used_classes(tables)}),
        tables=tables_code(tables),
    )


def render_unit_test(plan: Plan, package: str = PACKAGE) -> str:
    """Source of the test of the structure."""
    return fill(
        "unit_test.py.jinja",
        **common_values(plan),
        contract=_beside(package, _CONTRACT),
        tables_module=_beside(package, f"test_{plan.spec.module}_tiny"),
    )


def _beside(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


def literal(value: object) -> str:
    """A literal, with lists where the spec has them."""
    if isinstance(value, dict):
        entries = ", ".join(f"{key!r}: {_inline(item)}" for key, item in value.items())
        return f"{{{entries}}}"
    return repr(value)


def _inline(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
