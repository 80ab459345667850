"""The source tree of a TransformerLens: where it is, which version, its files parsed.

Nothing of TransformerLens is imported or run.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import warnings
from pathlib import Path

from adaptergen import guard
from adaptergen.catalogue.model import CatalogueError

PACKAGE = "transformer_lens"
COMPONENTS = "model_bridge/generalized_components"
# Upstream's development tree has this placeholder; releases fill it in.
_PLACEHOLDER = "0.0.0"
_METADATA_VERSION = re.compile(r"^Version:\s*(\S+)\s*$", re.MULTILINE)
_PROJECT_TABLE = re.compile(r"^\[(?:project|tool\.poetry)\]\s*$(.*?)(?=^\[|\Z)", re.M | re.S)
_PROJECT_VERSION = re.compile(r"""^\s*version\s*=\s*["']([^"']+)["']""", re.MULTILINE)


def find_installed() -> Path | None:
    """The package directory of the installed TransformerLens, or None."""
    try:
        # For a dotted name find_spec would import the parents.
        spec = importlib.util.find_spec(PACKAGE)
    except ValueError:
        return None
    # A folder of that name without an __init__ (generated files lie in one) has no origin.
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def package_of(path: Path | None, hint: str) -> Path:
    """What was named, or else the installed TransformerLens. CatalogueError, with this hint."""
    found = path or find_installed()
    if found is None:
        raise CatalogueError("No TransformerLens is installed.", hint)
    return found


def installed_version() -> str | None:
    """The version of the installed TransformerLens, or None."""
    try:
        return importlib.metadata.version("transformer-lens")
    except importlib.metadata.PackageNotFoundError:
        return None


def locate(path: Path) -> Path:
    """The package directory in `path`, which is that directory or a checkout. CatalogueError."""
    for candidate in (path, path / PACKAGE, path / "src" / PACKAGE):
        if (candidate / COMPONENTS).is_dir():
            return candidate.resolve()
    problem = "is not TransformerLens" if path.exists() else "does not exist"
    raise CatalogueError(
        f"{path} {problem}: there is no {PACKAGE}/{COMPONENTS} in it.",
        "Give a checkout of TransformerLens, or its installed package directory.",
    )


def version_of(package: Path) -> str:
    """The version in the metadata beside the package. Raises CatalogueError."""
    metadata = [package.parent / "PKG-INFO"]
    metadata += sorted(package.parent.glob(f"{PACKAGE}-*.dist-info/METADATA"))
    found = {_first(_METADATA_VERSION, _text(file)) for file in metadata} - {""}
    if not found:
        table = _first(_PROJECT_TABLE, _text(package.parent / "pyproject.toml"))
        found = {_first(_PROJECT_VERSION, table)} - {"", _PLACEHOLDER}
    if len(found) == 1:
        return found.pop()
    reason = f"several are named: {', '.join(sorted(found))}" if found else "no file names it"
    raise CatalogueError(
        f"The TransformerLens version of {package} cannot be determined: {reason}.",
        "Give the version explicitly.",
    )


def parse(file: Path) -> ast.Module:
    """The syntax tree of a file. Raises CatalogueError."""
    try:
        with warnings.catch_warnings():
            # Odd string escapes in upstream's source do not matter here.
            warnings.simplefilter("ignore")
            return ast.parse(guard.read(file, small=False), filename=str(file))
    except OSError as error:
        raise CatalogueError(
            f"{file} cannot be read: {error.strerror}.",
            "Fix the file's permissions or take another copy of TransformerLens.",
        ) from error
    except SyntaxError as error:
        raise CatalogueError(
            f"{file}:{error.lineno or 1} does not parse: {error.msg}.",
            "Take a clean copy of TransformerLens, or a Python as new as that version needs.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise CatalogueError(
            f"{file} does not parse: {error}.", "Take a clean copy of TransformerLens."
        ) from error


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1) if match else ""


def _text(file: Path) -> str:
    try:
        return guard.read(file).decode("utf-8", "replace")
    except OSError:
        return ""
