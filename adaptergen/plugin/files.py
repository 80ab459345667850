"""Which files a package consists of."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass

from adaptergen import runtime
from adaptergen.plan.model import Plan
from adaptergen.plugin.names import PluginName
from adaptergen.plugin.readme import render_readme, series
from adaptergen.render.adapter import import_lines, render_adapter
from adaptergen.render.files import (
    literal,
    render_checkpoint_test,
    render_tiny_test,
    render_unit_test,
)
from adaptergen.render.templates import fill, format_files

_FACTORY = "transformer_lens.factories.architecture_adapter_factory"
_TABLES = {(_FACTORY, "ArchitectureAdapterFactory"), (_FACTORY, "SUPPORTED_ARCHITECTURES")}
_ADAPTER = ("transformer_lens.model_bridge.architecture_adapter", "ArchitectureAdapter")
_TEST_IMPORTS = {
    *((name, "") for name in ("functools", "pytest", "torch", "transformers")),
    ("importlib.metadata", "distribution"),
    ("importlib.resources", "files"),
    ("tokenizers", "Tokenizer"),
    ("tokenizers.models", "WordLevel"),
    ("transformer_lens.factories", "architecture_adapter_factory as factory"),
    ("transformer_lens.model_bridge", "TransformerBridge"),
    ("transformer_lens.model_bridge.supported_architectures", "GPT2ArchitectureAdapter"),
    _ADAPTER,
}


_RUNTIME_TEXT = '"""What the adapters of this package share."""\n'


@dataclass(frozen=True)
class _Adapter:
    """One adapter, as the templates want to know it."""

    architecture: str
    adapter_class: str
    module: str
    tiny: str


def plugin_files(
    name: PluginName, plans: Sequence[Plan], native: Container[str], header: str
) -> dict[str, str]:
    """Path below the package's folder -> text.

    `native` are the architectures that TransformerLens has adapters for; `plans` are of this
    package and header.
    """
    package = name.package
    adapters = [_adapter(plan) for plan in plans]
    found = [one for one in adapters if one.architecture not in native]
    values: dict[str, object] = {
        "header": header,
        "package": package,
        "distribution": name.distribution,
        "adapters": adapters,
        "discovered": found,
        "titles": series([plan.spec.title for plan in plans]),
        "tl_version": plans[0].tl_version,
    }
    files = {
        "pyproject.toml": _pyproject(plans, values),
        "README.md": render_readme(plans, [one.architecture for one in found], values),
        f"src/{package}/__init__.py": _init(values, adapters),
        f"src/{package}/_activation.py": _activation(values, adapters),
        f"src/{package}/py.typed": "",
        "tests/test_plugin.py": _plugin_test(values, found),
    }
    folder = f"src/{package}/_runtime"
    shared = runtime.sources(f"{package}._runtime")
    shared |= {"registration": runtime.registration(), "__init__": _RUNTIME_TEXT}
    files |= {f"{folder}/{name}.py": text for name, text in shared.items()}
    for plan in plans:
        module = plan.spec.module
        files |= {
            f"src/{package}/{module}.py": render_adapter(plan),
            f"tests/test_{module}_adapter.py": render_unit_test(plan, package=""),
            f"tests/test_{module}_tiny.py": render_tiny_test(plan, package=""),
            f"tests/test_{module}_checkpoint.py": render_checkpoint_test(plan, runtime.CONTRACT),
        }
    copied = runtime.contract(f"tests/{runtime.CONTRACT}")
    return format_files(files) | copied


def _adapter(plan: Plan) -> _Adapter:
    spec = plan.spec
    tiny = literal(spec.tiny.config)
    return _Adapter(spec.architecture, plan.adapter_class, spec.module, tiny)


def _pyproject(plans: Sequence[Plan], values: dict[str, object]) -> str:
    """Requirements start at the oldest versions that the tests of all adapters were run on."""
    proved = [plan.spec.verified_with for plan in plans]
    oldest = {
        "transformer-lens": max(_oldest(one.transformer_lens) for one in proved),
        "transformers": max(_oldest(one.transformers) for one in proved),
    }
    requirements = [
        f"{name}>={'.'.join(map(str, version))}" for name, version in sorted(oldest.items())
    ]
    description = json.dumps(f"TransformerLens adapters for {values['titles']}", ensure_ascii=False)
    text = {"requirements": requirements, "description": description}
    return fill("plugin/pyproject.toml.jinja", **values, **text)


def _oldest(versions: Sequence[str]) -> tuple[int, ...]:
    return min(tuple(map(int, version.split("."))) for version in versions)


def _init(values: dict[str, object], adapters: Sequence[_Adapter]) -> str:
    package = values["package"]
    own = {"ADAPTERS", "activate", "deactivate"}
    imports = {(f"{package}._activation", name) for name in own}
    imports |= {(f"{package}.{one.module}", one.adapter_class) for one in adapters}
    if values["discovered"]:
        imports |= _TABLES
    exported = sorted(own | {one.adapter_class for one in adapters})
    text = {**values, "imports": import_lines(imports), "exported": repr(exported)}
    return fill("plugin/init.py.jinja", **text)


def _activation(values: dict[str, object], adapters: Sequence[_Adapter]) -> str:
    registration = f"{values['package']}._runtime.registration"
    imports = {_ADAPTER, (registration, "enter"), (registration, "leave")}
    imports |= {(f"{values['package']}.{one.module}", one.adapter_class) for one in adapters}
    return fill("plugin/activation.py.jinja", **values, imports=import_lines(imports))


def _plugin_test(values: dict[str, object], found: Sequence[_Adapter]) -> str:
    package = str(values["package"])
    imports = import_lines(_TEST_IMPORTS | {(package, ""), (package, "ADAPTERS")})
    discovered = repr([one.architecture for one in found])
    text = {**values, "imports": imports, "discovered": discovered}
    return fill("plugin/plugin_test.py.jinja", **text)
