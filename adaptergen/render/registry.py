"""`registry.json`: what upstream's registries and files want to know of an adapter."""

from __future__ import annotations

import json

from adaptergen.catalogue import Catalogue
from adaptergen.plan.model import Plan
from adaptergen.prose import markdown

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
