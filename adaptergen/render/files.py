"""Which files one adapter amounts to, and where upstream keeps them."""

from __future__ import annotations

from adaptergen.catalogue import Catalogue
from adaptergen.plan.model import Plan
from adaptergen.render.adapter import render_adapter
from adaptergen.render.common import render_checkpoint_test, render_conftest, render_register
from adaptergen.render.formatting import format_files
from adaptergen.render.hook_page import render_hook_page
from adaptergen.render.registry import render_registry
from adaptergen.render.tests import render_tiny_test, render_unit_test

_ADAPTERS = "transformer_lens/model_bridge/supported_architectures"
_UNIT = "tests/unit/model_bridge/supported_architectures"
_INTEGRATION = "tests/integration/model_bridge"


def render_files(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """Path in the adapter's folder -> text; below that, folders are called as upstream's are."""
    return format_files(_texts(plan, catalogue))


def _texts(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    module = plan.spec.module
    return {
        f"{_ADAPTERS}/{module}.py": render_adapter(plan),
        f"{_UNIT}/test_{module}_adapter.py": render_unit_test(plan),
        f"{_INTEGRATION}/test_{module}_tiny.py": render_tiny_test(plan),
        f"{_INTEGRATION}/test_{module}_adapter.py": render_checkpoint_test(plan),
        "HOOKS.md": render_hook_page(plan),
        "conftest.py": render_conftest(plan),
        "register.py": render_register(plan),
        "registry.json": render_registry(plan, catalogue),
    }
