"""A catalogue made from a TransformerLens source tree, by reading alone."""

from __future__ import annotations

from pathlib import Path

from adaptergen.catalogue.abilities import find_abilities
from adaptergen.catalogue.components import find_bridge_aliases, find_components
from adaptergen.catalogue.library import Library
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.settings import (
    find_adapter_attributes,
    find_config_fields,
    find_passthrough,
)
from adaptergen.catalogue.sites import find_adapters, find_sites
from adaptergen.catalogue.tree import locate, version_of


def extract(tl_path: Path, version: str | None = None) -> Catalogue:
    """The catalogue of the TransformerLens at ``tl_path``, a checkout or a package directory.

    ``version`` is needed only where the tree does not tell it. Raises CatalogueError.
    """
    package = locate(tl_path)
    tl_version = version or version_of(package)
    library = Library(package)
    found = find_components(library)
    gaps = list(found.gaps)
    return Catalogue(
        tl_version=tl_version,
        components=found.components,
        sites=find_sites(library, gaps),
        adapters=find_adapters(library),
        bridge_aliases=find_bridge_aliases(library, gaps),
        abilities=find_abilities(library),
        passthrough=find_passthrough(library, gaps),
        config_fields=find_config_fields(library, gaps),
        adapter_attributes=find_adapter_attributes(library, gaps),
        gaps=tuple(sorted(gaps)),
    )
