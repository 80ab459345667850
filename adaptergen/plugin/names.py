"""What a package is called, and whether what it is made of can lie in one."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Problem, SourceLocation, SpecValueError, quote
from adaptergen.spec.values import check_identifier

_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST = 80
#: What Python imports by itself where it is there, and what else is imported beside the package.
_TAKEN = frozenset(
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


@dataclass(frozen=True)
class PluginName:
    """The name to install, and the one to import."""

    distribution: str
    package: str


def plugin_name(folder: Path) -> PluginName:
    """The names that the folder of a package gives it; `Failed` if it cannot be called so."""
    name = folder.name
    package = re.sub(r"[-_.]+", "_", name).lower()
    if not _DISTRIBUTION.fullmatch(name) or len(name) > _LONGEST:
        why = "is not letters and digits, with `-`, `_` or `.` between them"
        raise _bad_name(folder, f"the name {quote(name)} {why}")
    if package in _TAKEN or _is_installed(package):
        raise _bad_name(folder, f"something else that is imported is called {quote(package)}")
    try:
        check_identifier(package)
    except SpecValueError as error:
        raise _bad_name(folder, f"nothing can be imported as {quote(package)}") from error
    return PluginName(name, package)


def _is_installed(package: str) -> bool:
    """Whether it is imported here from something that is no package of adapters."""
    return any(
        not any(required.startswith(_REQUIRED) for required in distribution(name).requires or ())
        for name in packages_distributions().get(package, ())
    )


def clashes(plans: Sequence[tuple[Path, Plan]]) -> Iterator[Problem]:
    """Every name that two specs have in common and a package has room for once."""
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


def _bad_name(folder: Path, message: str) -> Failed:
    hint = "choose a name such as `tl-helium` for the last part of the path"
    return Failed([Problem("plugin-name", message, hint, SourceLocation(folder.as_posix()))])
