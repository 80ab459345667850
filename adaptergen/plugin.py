"""A package of adapters, which anyone can install beside TransformerLens.

The package is complete: adapters, their tests, hook pages, entry points, and the functions that
put an adapter in the place of one that TransformerLens has. Nothing in it needs adaptergen.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from adaptergen import __version__, runtime
from adaptergen.catalogue.store import load
from adaptergen.output.transaction import PACKAGE, recorded_meta
from adaptergen.output.tree import OutputTree
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Problem, SourceLocation, SpecValueError, quote
from adaptergen.render.adapter import import_lines, render_adapter
from adaptergen.render.files import (
    render_checkpoint_test,
    render_tiny_test,
    render_unit_test,
)
from adaptergen.render.hook_page import render_hook_page
from adaptergen.render.templates import fill, format_files
from adaptergen.spec.values import check_identifier

_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_MAX_NAME = 80
#: What Python imports by itself where it is there, and what else is imported beside the package.
_RESERVED_NAMES = frozenset(
    {
        *sys.stdlib_module_names,
        *("sitecustomize", "usercustomize", "test", "tests", "conftest", "setup"),
        *("pip", "pkg_resources", "setuptools", "wheel", "build", "hatchling", "distutils"),
        *("adaptergen", "transformer_lens", "transformers", "torch", "accelerate", "tokenizers"),
        *("beartype", "datasets", "einops", "huggingface_hub", "jaxtyping", "numpy", "packaging"),
        *("pandas", "peft", "regex", "requests", "rich", "safetensors", "scipy", "sentencepiece"),
        *("sae_lens", "sklearn", "tqdm", "typeguard", "typing_extensions", "wandb", "yaml"),
        *("hypothesis", "mypy", "pluggy", "pytest", "ruff"),
    }
)
#: What every package of adapters requires.
_REQUIRED = "transformer-lens"

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


def plugin_tree(
    folder: Path, plans: Sequence[tuple[Path, Plan]], shown: Sequence[str]
) -> OutputTree:
    """All files of the package at `folder`, which becomes a folder of that name in its parent.

    `plans` have the file of their spec beside them, `shown` are those files by their paths in the
    project. Raises `Failed` if the folder, or what goes into it, is not fit for a package.
    """
    package = package_name(folder)
    problems = [*_clashes(plans), *_foreign(folder, package)]
    if problems:
        raise Failed(problems)
    command = shlex.join(["adaptergen", "export", *shown, "--plugin", folder.name])
    header = f"# Generated from {', '.join(shown)} by `{command}`."
    own = [
        replace(plan, package=package, runtime=f"{package}._runtime", header=header)
        for _, plan in plans
    ]
    files = _files(folder.name, own, load()[0].adapters)
    versions = {"adaptergen": __version__, "transformer_lens": own[0].tl_version}
    return OutputTree(
        name=folder.name,
        spec=", ".join(shown),
        files={path: text.encode() for path, text in files.items()},
        meta={**versions, PACKAGE: package},
    )


def package_name(folder: Path) -> str:
    """The name to import; the folder has the name to install. `Failed` if either is not usable."""
    name = folder.name
    package = re.sub(r"[-_.]+", "_", name).lower()
    if not _DISTRIBUTION.fullmatch(name) or len(name) > _MAX_NAME:
        why = "is not letters and digits, with `-`, `_` or `.` between them"
        raise _bad_name(folder, f"the name {quote(name)} {why}")
    if package in _RESERVED_NAMES or _is_installed(package):
        raise _bad_name(folder, f"something else that is imported is called {quote(package)}")
    try:
        check_identifier(package)
    except SpecValueError as error:
        raise _bad_name(folder, f"nothing can be imported as {quote(package)}") from error
    return package


def _bad_name(folder: Path, message: str) -> Failed:
    hint = "choose a name such as `tl-helium` for the last part of the path"
    return Failed([Problem("plugin-name", message, hint, SourceLocation(folder.as_posix()))])


def _is_installed(package: str) -> bool:
    """Whether it is imported here from something that is no package of adapters."""
    return any(
        not any(required.startswith(_REQUIRED) for required in distribution(name).requires or ())
        for name in packages_distributions().get(package, ())
    )


def _clashes(plans: Sequence[tuple[Path, Plan]]) -> Iterator[Problem]:
    """Every name that two specs share although a package has room for it once."""
    first: dict[tuple[str, str], Path] = {}
    for path, plan in plans:
        names = {
            "architecture": plan.spec.architecture,
            # Modules whose names differ in case only are one file on some systems.
            "module": plan.spec.module.casefold(),
            "adapter class": plan.adapter_class,
        }
        for what, name in names.items():
            other = first.setdefault((what, name), path)
            if other is not path:
                yield Problem(
                    "plugin-clash",
                    f"the {what} {quote(name)} is that of {quote(other.as_posix())} already",
                    "export one of the two, or each to a folder of its own",
                    SourceLocation(path.as_posix()),
                )


def _foreign(folder: Path, package: str) -> list[Problem]:
    """What speaks against a folder that is there already."""
    if not folder.is_dir() or not (present := sorted(os.listdir(folder))):
        return []
    made = recorded_meta(folder).get(PACKAGE)
    if made == package:
        return []
    what = f"the package {quote(str(made))}" if made else f"{quote(present[0])}, no package"
    message = f"the folder holds {what} that adaptergen made"
    hint = "name a folder that does not exist yet, or move this one away"
    return [Problem("plugin-folder", message, hint, SourceLocation(folder.as_posix()))]


def _files(distribution: str, plans: Sequence[Plan], native: Container[str]) -> dict[str, str]:
    """Path below the package's folder -> text.

    `native` are the architectures that TransformerLens has adapters for.
    """
    package, header = plans[0].package, plans[0].header
    adapters = [_row(plan, native) for plan in plans]
    discovered = [row for row in adapters if row["discovered"]]
    values: dict[str, object] = {
        "header": header,
        "package": package,
        "distribution": distribution,
        "adapters": adapters,
        "discovered": discovered,
        "titles": _series([plan.spec.title for plan in plans]),
        "tl_version": plans[0].tl_version,
    }
    classes = {(f"{package}.{plan.spec.module}", plan.adapter_class) for plan in plans}
    own = ("ADAPTERS", "activate", "deactivate")
    registration = f"{package}._runtime.registration"
    init_imports = classes | {(f"{package}._activation", name) for name in own}
    activation_imports = classes | {_ADAPTER, (registration, "enter"), (registration, "leave")}
    files = {
        "pyproject.toml": _pyproject(plans, values),
        "README.md": fill(
            "plugin/README.md.jinja",
            **{**values, "header": header.removeprefix("# ")},
            discovered_titles=_series([str(row["title"]) for row in discovered]),
            variables=_series([f"`{plan.spec.module.upper()}_CHECKPOINT`" for plan in plans]),
        ),
        f"src/{package}/__init__.py": fill(
            "plugin/init.py.jinja",
            **values,
            imports=import_lines(init_imports | (_TABLES if discovered else set())),
            exported=repr(sorted({*own, *(plan.adapter_class for plan in plans)})),
        ),
        f"src/{package}/_activation.py": fill(
            "plugin/activation.py.jinja", **values, imports=import_lines(activation_imports)
        ),
        f"src/{package}/py.typed": "",
        "tests/test_plugin.py": fill(
            "plugin/plugin_test.py.jinja",
            **{**values, "discovered": repr([row["architecture"] for row in discovered])},
            imports=import_lines(_TEST_IMPORTS | {(package, ""), (package, "ADAPTERS")}),
        ),
    }
    shared = runtime.sources(f"{package}._runtime")
    shared |= {"registration": runtime.registration(), "__init__": _RUNTIME_TEXT}
    files |= {f"src/{package}/_runtime/{module}.py": text for module, text in shared.items()}
    for plan in plans:
        module = plan.spec.module
        files |= {
            f"src/{package}/{module}.py": render_adapter(plan),
            f"tests/test_{module}_adapter.py": render_unit_test(plan, package=""),
            f"tests/test_{module}_tiny.py": render_tiny_test(plan, package=""),
            f"tests/test_{module}_checkpoint.py": render_checkpoint_test(plan, package=""),
        }
    return format_files(files) | runtime.contract(f"tests/{runtime.CONTRACT}")


def _row(plan: Plan, native: Container[str]) -> dict[str, object]:
    """One adapter, as the templates want to know it."""
    spec, config = plan.spec, plan.spec.tiny.config.items()
    return {
        "title": spec.title,
        "architecture": spec.architecture,
        "adapter_class": plan.adapter_class,
        "module": spec.module,
        "tiny": repr({name: list(v) if isinstance(v, tuple) else v for name, v in config}),
        "checkpoint": spec.checkpoints[0],
        "discovered": spec.architecture not in native,
        "verified_with_transformer_lens": ", ".join(spec.verified_with.transformer_lens),
        "verified_with_transformers": ", ".join(spec.verified_with.transformers),
        "hook_page": _as_section(render_hook_page(plan)),
    }


def _as_section(page: str) -> str:
    """A page with its headings one level down, without the comment that opens it."""
    _, _, text = page.partition("\n")
    lines = (f"#{line}" if line.startswith("#") else line for line in text.splitlines())
    return "\n".join(lines)


def _pyproject(plans: Sequence[Plan], values: dict[str, object]) -> str:
    """Requirements start at the oldest versions that the tests of all adapters were run on."""
    verified = [plan.spec.verified_with for plan in plans]
    oldest = {
        "transformer-lens": max(_oldest(one.transformer_lens) for one in verified),
        "transformers": max(_oldest(one.transformers) for one in verified),
    }
    requirements = [f"{name}>={'.'.join(map(str, numbers))}" for name, numbers in oldest.items()]
    description = json.dumps(f"TransformerLens adapters for {values['titles']}", ensure_ascii=False)
    return fill(
        "plugin/pyproject.toml.jinja",
        **values, requirements=sorted(requirements), description=description,
    )  # fmt: skip


def _oldest(versions: Sequence[str]) -> tuple[int, ...]:
    return min(tuple(map(int, version.split("."))) for version in versions)


def _series(names: Sequence[str]) -> str:
    """Names in a sentence: `a`, `a and b`, `a, b and c`."""
    *first, last = names or [""]
    return f"{', '.join(first)} and {last}" if first else last
