"""The catalogue that counts for a checkout: its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.store import committed_versions, nearest_first, path_of, read
from adaptergen.catalogue.tree import locate, version_of
from adaptergen.catalogue.unseen import unseen

#: How a checkout that names no version is called: a development tree.
DEVELOPMENT = "development"


def of_checkout(path: Path) -> Catalogue:
    """What the TransformerLens at `path` offers, its files read as they are now.

    What reading alone cannot settle is taken from a committed catalogue, for components whose
    source reads the same there: the one of its version, or the nearest that has such a component.
    """
    package = locate(path)
    version = version_in(package)
    return _observed(extract(package, version or DEVELOPMENT), nearest_first(version))


def version_in(package: Path) -> str | None:
    """The version that the files beside the package tell; None for a development tree."""
    try:
        return version_of(package)
    except CatalogueError:
        return None


def with_observations(fresh: Catalogue) -> Catalogue:
    """What was observed before stays true of a component whose source reads the same."""
    if fresh.tl_version not in committed_versions():
        return fresh
    try:
        return _observed(fresh, [read(path_of(fresh.tl_version))])
    except CatalogueError:  # what is damaged, or of another form, is what is made anew
        return fresh


def _observed(fresh: Catalogue, earlier: Sequence[Catalogue]) -> Catalogue:
    kept = {
        name: next(
            (
                one.components[name]
                for one in earlier
                if name in one.components and unseen(one.components[name]) == component
            ),
            component,
        )
        for name, component in fresh.components.items()
    }
    return replace(fresh, components=kept)
