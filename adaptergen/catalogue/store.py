"""The committed catalogues: which versions there are, reading one, the text of one."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from adaptergen import resources
from adaptergen.catalogue.library import PACKAGE
from adaptergen.catalogue.model import Catalogue, CatalogueError

FORMAT = 2
_FOLDER = resources.CATALOGUES
_RELEASE = re.compile(r"\d+(?:\.\d+)*")
_SCHEMA: TypeAdapter[Catalogue] = TypeAdapter(Catalogue)


def dumps(catalogue: Catalogue) -> str:
    """The catalogue as committed: stable, without defaults, ending with a newline."""
    content = _SCHEMA.dump_python(catalogue, mode="json", exclude_defaults=True)
    return json.dumps({"format": FORMAT, **content}, indent=1, ensure_ascii=False) + "\n"


def read(file: Path) -> Catalogue:
    """The catalogue in a file. Raises CatalogueError."""
    hint = "Make it again with `adaptergen catalog --tl PATH`."
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        found = data.pop("format", None) if isinstance(data, dict) else None
        if found != FORMAT:
            raise CatalogueError(f"{file} has format {found}; this program reads {FORMAT}.", hint)
        return _SCHEMA.validate_python(data)
    except (OSError, ValidationError, ValueError) as error:
        raise CatalogueError(f"{file} cannot be read as a catalogue: {error}.", hint) from error


def path_of(version: str) -> Path:
    """Where the catalogue of that version is committed."""
    return _FOLDER / f"{PACKAGE}-{version}.json"


def committed_versions() -> tuple[str, ...]:
    """The TransformerLens versions that have a committed catalogue, oldest first."""
    names = (path.stem.removeprefix(f"{PACKAGE}-") for path in _FOLDER.glob(f"{PACKAGE}-*.json"))
    return tuple(sorted(names, key=_release))


def load(version: str | None = None) -> tuple[Catalogue, str | None]:
    """The catalogue for a TransformerLens version, and a warning if it is another version's.

    A version without a committed catalogue gets the newest older one, or else the oldest. None
    means the newest.
    """
    committed = committed_versions()
    if not committed:
        raise CatalogueError(f"There is no catalogue in {_FOLDER}.", "Reinstall adaptergen.")
    if version is None:
        return _read(committed[-1]), None
    if version in committed:
        return _read(version), None
    wanted = _release(version)
    # A version without a number is taken for a development tree: newer than all.
    older = [known for known in committed if not wanted or _release(known) <= wanted]
    used = older[-1] if older else committed[0]
    warning = (
        f"There is no catalogue for TransformerLens {version}; the one for {used} is used, so "
        f"names may differ (`adaptergen catalog --tl PATH` makes one)."
    )
    return _read(used), warning


def nearest_first(version: str | None) -> tuple[Catalogue, ...]:
    """All committed catalogues: the one that `load` gives, then the others, newest first."""
    nearest = load(version)[0]
    others = [known for known in reversed(committed_versions()) if known != nearest.tl_version]
    return (nearest, *(_read(known) for known in others))


@lru_cache
def _read(version: str) -> Catalogue:
    return read(path_of(version))


def _release(version: str) -> tuple[int, ...]:
    match = _RELEASE.match(version.lstrip("v"))
    numbers = [int(number) for number in match.group().split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()  # 4.3 and 4.3.0 are one release
    return tuple(numbers)
