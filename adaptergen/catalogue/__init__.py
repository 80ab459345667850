"""The catalogue: what one TransformerLens version offers an adapter.

Component classes with their keywords, aliases and hook points; configuration fields;
the adapter's switches; the places an architecture is registered at. Extracted from
TransformerLens' source text, committed per version as JSON, and read back without
TransformerLens, torch or transformers being installed.

This package is the only door through which facts about TransformerLens come in: no
other module lists its classes, keywords, hooks or files.
"""

from adaptergen.catalogue.checkout import DEVELOPMENT, of_checkout, version_in, with_observations
from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.installed import find_installed, installed_version
from adaptergen.catalogue.model import (
    Catalogue,
    Component,
    ConfigField,
    Hook,
    HooksSource,
    Keyword,
    RegistrationSite,
    SiteKind,
)
from adaptergen.catalogue.observe import observe
from adaptergen.catalogue.store import committed_versions, dumps, load, path_of, read
from adaptergen.catalogue.suggest import nearest
from adaptergen.catalogue.tree import locate

__all__ = [
    "DEVELOPMENT",
    "Catalogue",
    "CatalogueError",
    "Component",
    "ConfigField",
    "Hook",
    "HooksSource",
    "Keyword",
    "RegistrationSite",
    "SiteKind",
    "committed_versions",
    "dumps",
    "extract",
    "find_installed",
    "installed_version",
    "load",
    "locate",
    "nearest",
    "observe",
    "of_checkout",
    "path_of",
    "read",
    "version_in",
    "with_observations",
]
