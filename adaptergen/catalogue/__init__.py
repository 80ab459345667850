"""The catalogue: what one TransformerLens version offers an adapter.

Component classes with their keywords, aliases and hook points; configuration fields;
the adapter's switches; the places an architecture is registered at. Extracted from
TransformerLens' source text, committed per version as JSON, and read back without
TransformerLens, torch or transformers being installed.

This package is the only door through which facts about TransformerLens come in: no
other module lists its classes, keywords, hooks or files. Here is what reading takes;
`extract`, `checkout` and `observe`, which make a catalogue, are imported from their modules.
"""

from adaptergen.catalogue.errors import CatalogueError
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
from adaptergen.catalogue.store import committed_versions, dumps, load, path_of, read

__all__ = [
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
    "find_installed",
    "installed_version",
    "load",
    "path_of",
    "read",
]
