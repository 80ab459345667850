"""Which files one adapter amounts to, and where upstream keeps them."""

from __future__ import annotations

import json

from adaptergen import runtime
from adaptergen.catalogue.model import Catalogue, RegistrationSite
from adaptergen.plan.model import Plan
from adaptergen.prose import markdown
from adaptergen.render.adapter import render_adapter
from adaptergen.render.hook_page import render_hook_page
from adaptergen.render.tables import adapter_tables, tables_code, used_classes
from adaptergen.render.templates import fill, format_files
from adaptergen.runtime import CONTRACT

_ADAPTERS = "transformer_lens/model_bridge/supported_architectures"
_UNIT = "tests/unit/model_bridge/supported_architectures"
_INTEGRATION = "tests/integration/model_bridge"

#: The package in which upstream keeps what tests of adapters share: tables, and the contract.
PACKAGE = _INTEGRATION.replace("/", ".")


def render_files(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """Path in the adapter's folder -> text; below that, folders are called as upstream's are."""
    module = plan.spec.module
    files = {
        f"{_ADAPTERS}/{module}.py": render_adapter(plan),
        f"{_UNIT}/test_{module}_adapter.py": render_unit_test(plan),
        f"{_INTEGRATION}/test_{module}_tiny.py": render_tiny_test(plan),
        f"{_INTEGRATION}/test_{module}_adapter.py": render_checkpoint_test(plan),
        "HOOKS.md": render_hook_page(plan),
        "conftest.py": fill("conftest.py.jinja", **_common_values(plan)),
        "register.py": _register(plan),
        "registry.json": _registry(plan, catalogue),
    }
    return format_files(files)


def _common_values(plan: Plan) -> dict[str, object]:
    """The values that every template takes."""
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


def _register(plan: Plan) -> str:
    command = plan.header.partition("`")[2].rstrip("`.")
    values = {"command": command, "runtime_version": runtime.version()}
    return fill("register.py.jinja", **_common_values(plan), **values)


def render_checkpoint_test(plan: Plan, package: str = PACKAGE) -> str:
    """Source of the test on a real checkpoint; `package` has the contract, if it is in one."""
    contract = _beside(package, CONTRACT)
    values = {"contract": contract, "generates": plan.generates}
    return fill("checkpoint_test.py.jinja", **_common_values(plan), **values)


def render_tiny_test(plan: Plan, package: str = PACKAGE) -> str:
    """Source of the test on tiny random models."""
    tables = tables_code(adapter_tables(plan))
    return fill(
        "tiny_test.py.jinja",
        **_common_values(plan),
        contract=_beside(package, CONTRACT),
        classes=sorted({"AdapterContract", *used_classes(tables)}),
        tables=tables,
    )


def render_unit_test(plan: Plan, package: str = PACKAGE) -> str:
    """Source of the test of the structure."""
    return fill(
        "unit_test.py.jinja",
        **_common_values(plan),
        contract=_beside(package, CONTRACT),
        tables_module=_beside(package, f"test_{plan.spec.module}_tiny"),
    )


def _beside(package: str, name: str) -> str:
    return f"{package}.{name}" if package else name


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


def _registry(plan: Plan, catalogue: Catalogue) -> str:
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
            for entry in [_entry(site, plan, module, description)]
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


def _entry(site: RegistrationSite, plan: Plan, module: str, description: str) -> dict[str, object]:
    """What goes into one container."""
    key, adapter = plan.spec.architecture, plan.adapter_class
    entries: dict[str, dict[str, object]] = {
        "__all__": {"entry": adapter},
        "SUPPORTED_ARCHITECTURES": {"key": key, "name": adapter},
        "HF_SUPPORTED_ARCHITECTURES": {"entry": key},
        "CANONICAL_AUTHORS_BY_ARCH": {"key": key, "value": list(plan.spec.authors)},
        "ARCHITECTURE_DESCRIPTIONS": {"key": key, "value": f"{plan.spec.title}: {description}"},
    }
    imported: dict[str, object] = {
        "from": module if site.file.endswith("__init__.py") else site.container,
        "name": adapter,
    }
    return entries.get(site.container, imported)
