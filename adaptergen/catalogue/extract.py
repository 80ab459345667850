"""A catalogue made from a TransformerLens source tree, by reading alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from adaptergen.catalogue.components import find_bridge_aliases, find_components
from adaptergen.catalogue.library import Library, locate, version_of
from adaptergen.catalogue.model import Catalogue, CatalogueError
from adaptergen.catalogue.settings import (
    find_adapter_attributes,
    find_adapter_helpers,
    find_adapters,
    find_capabilities,
    find_config_fields,
    find_passthrough,
    find_sites,
)
from adaptergen.catalogue.store import committed_versions, nearest_first, path_of, read


def extract(tl_path: Path, version: str | None = None) -> Catalogue:
    """The catalogue of the TransformerLens at `tl_path`, a checkout or a package directory.

    `version` is needed only where no file of the tree names it. Raises CatalogueError.
    """
    package = locate(tl_path)
    tl_version = version or version_of(package)
    library = Library(package)
    gaps: list[str] = []
    return Catalogue(
        tl_version=tl_version,
        components=find_components(library, gaps),
        sites=find_sites(library, gaps),
        adapters=find_adapters(library),
        bridge_aliases=find_bridge_aliases(library, gaps),
        capabilities=find_capabilities(library),
        passthrough=find_passthrough(library, gaps),
        config_fields=find_config_fields(library, gaps),
        adapter_attributes=find_adapter_attributes(library, gaps),
        adapter_helpers=find_adapter_helpers(library),
        gaps=tuple(sorted(gaps)),
    )


def of_checkout(path: Path) -> Catalogue:
    """The catalogue of the TransformerLens at `path`, its files read as they are now.

    What needs observation is taken from a committed catalogue, for components whose source reads
    the same there: the catalogue of this version, or the nearest that has such a component.
    """
    package = locate(path)
    version = version_in(package)
    return _with_observations_of(nearest_first(version), extract(package, version or "development"))


def version_in(package: Path) -> str | None:
    """The version in the metadata beside the package; None for a development tree."""
    try:
        return version_of(package)
    except CatalogueError:
        return None


def with_committed_observations(fresh: Catalogue) -> Catalogue:
    """The catalogue with the committed observations of components whose source reads the same."""
    if fresh.tl_version not in committed_versions():
        return fresh
    try:
        return _with_observations_of([read(path_of(fresh.tl_version))], fresh)
    except CatalogueError:  # a damaged file, or one of another format, is written again
        return fresh


def _with_observations_of(earlier: Sequence[Catalogue], fresh: Catalogue) -> Catalogue:
    components = dict(fresh.components)
    for catalogue in reversed(earlier):  # so that the first one counts
        for name, component in catalogue.components.items():
            if component.without_observations() == fresh.components.get(name):
                components[name] = component
    return replace(fresh, components=components)
