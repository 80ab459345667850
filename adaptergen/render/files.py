"""Which files one adapter amounts to, and where upstream keeps them."""

from __future__ import annotations

import json

from adaptergen import runtime
from adaptergen.catalogue.model import Catalogue
from adaptergen.plan.model import Plan
from adaptergen.prose import markdown
from adaptergen.render.adapter import render_adapter
from adaptergen.render.hook_page import render_hook_page
from adaptergen.render.tables import adapter_tables, tables_code, used_classes
from adaptergen.render.templates import fill, format_files

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


#: Scores of a model that was not verified yet, as upstream keeps them.
_UNVERIFIED: dict[str, object] = {
    "status": 0,
    "verified_date": None,
    "metadata": None,
    "note": None,
    **{f"phase{number}_score": None for number in (1, 2, 3, 4, 7, 8)},
}
_PASSTHROUGH_FILE = "transformer_lens/model_bridge/sources/_bridge_builder.py"
_MODELS_FILE = "transformer_lens/tools/model_registry/data/supported_models.json"


def render_registry(plan: Plan, catalogue: Catalogue) -> str:
    """The edits that register the adapter, by file and container."""
    spec = plan.spec
    module = f"transformer_lens.model_bridge.supported_architectures.{spec.module}"
    # TransformerLens shows it in a report, which is Markdown.
    description = markdown(spec.description.split(".")[0])
    content = {
        "architecture": spec.architecture,
        "adapter": plan.adapter_class,
        "module": module,
        "transformer_lens": catalogue.tl_version,
        "edits": [
            {"file": site.file, "container": site.container, "kind": site.kind, **entry}
            for site in catalogue.sites
            for entry in [_entry(site.container, site.file, plan, module, description)]
        ],
        "passthrough": {
            "file": _PASSTHROUGH_FILE,
            "container": "_HF_PASSTHROUGH_ATTRS",
            "entries": list(plan.passthrough),
        },
        "supported_models": {
            "file": _MODELS_FILE,
            "rows": [
                {"architecture_id": spec.architecture, "model_id": name, **_UNVERIFIED}
                for name in spec.checkpoints
            ],
        },
    }
    return json.dumps(content, indent=2) + "\n"


def _entry(
    container: str, file: str, plan: Plan, module: str, description: str
) -> dict[str, object]:
    """What goes into one container."""
    spec = plan.spec
    if container == "__all__":
        return {"entry": plan.adapter_class}
    if container == "SUPPORTED_ARCHITECTURES":
        return {"key": spec.architecture, "name": plan.adapter_class}
    if container == "HF_SUPPORTED_ARCHITECTURES":
        return {"entry": spec.architecture}
    if container == "CANONICAL_AUTHORS_BY_ARCH":
        return {"key": spec.architecture, "value": list(spec.authors)}
    if container == "ARCHITECTURE_DESCRIPTIONS":
        return {"key": spec.architecture, "value": f"{spec.title}: {description}"}
    source = module if file.endswith("__init__.py") else container
    return {"from": source, "name": plan.adapter_class}
