"""A TransformerLens source tree: where it is, which version, its files parsed.

Nothing is ever imported or run; a file is text that ``ast`` can read.
"""

from __future__ import annotations

import ast
import re
import warnings
from pathlib import Path

from adaptergen import guard
from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.installed import PACKAGE

COMPONENTS = "model_bridge/generalized_components"
# Upstream's development tree carries this placeholder; releases fill it in.
_PLACEHOLDER = "0.0.0"
_METADATA_VERSION = re.compile(r"^Version:\s*(\S+)\s*$", re.MULTILINE)
_PROJECT_TABLE = re.compile(r"^\[(?:project|tool\.poetry)\]\s*$(.*?)(?=^\[|\Z)", re.M | re.S)
_PROJECT_VERSION = re.compile(r"""^\s*version\s*=\s*["']([^"']+)["']""", re.MULTILINE)


def locate(path: Path) -> Path:
    """The package directory in ``path``: the package itself or a checkout holding it."""
    for candidate in (path, path / PACKAGE, path / "src" / PACKAGE):
        if (candidate / COMPONENTS).is_dir():
            return candidate.resolve()
    problem = "is not TransformerLens" if path.exists() else "does not exist"
    raise CatalogueError(
        f"{path} {problem}: there is no {PACKAGE}/{COMPONENTS} in it.",
        "Give a checkout of TransformerLens, or its installed package directory.",
    )


def version_of(package: Path) -> str:
    """The version that the files beside the package tell."""
    metadata = [package.parent / "PKG-INFO"]
    metadata += sorted(package.parent.glob(f"{PACKAGE}-*.dist-info/METADATA"))
    found = {version for file in metadata for version in _first(_METADATA_VERSION, file)}
    if not found:
        found = _project_version(package.parent / "pyproject.toml")
    if len(found) == 1:
        return found.pop()
    reason = f"several are named: {', '.join(sorted(found))}" if found else "no file names it"
    raise CatalogueError(
        f"The TransformerLens version of {package} cannot be told: {reason}.",
        "Give the version explicitly.",
    )


def parse(file: Path) -> ast.Module:
    """The syntax tree of one file."""
    try:
        with warnings.catch_warnings():
            # Upstream's odd string escapes are no business of whoever reads it.
            warnings.simplefilter("ignore")
            return ast.parse(guard.read(file, small=False), filename=str(file))
    except OSError as error:
        raise CatalogueError(
            f"{file} cannot be read: {error.strerror}.",
            "Mend the file's permissions or take another copy of TransformerLens.",
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


def _project_version(file: Path) -> set[str]:
    table = "".join(_first(_PROJECT_TABLE, file))
    match = _PROJECT_VERSION.search(table)
    return {match.group(1)} - {_PLACEHOLDER} if match else set()


def _first(pattern: re.Pattern[str], file: Path) -> list[str]:
    try:
        text = guard.read(file).decode("utf-8", "replace")
    except OSError:
        return []
    match = pattern.search(text)
    return [match.group(1)] if match else []
