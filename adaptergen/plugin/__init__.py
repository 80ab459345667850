"""A package with the adapters of specs, which anyone can install beside TransformerLens.

It is complete in itself: adapters, their tests, hook pages, entry points, and the functions that
put an adapter in the place of one that TransformerLens has. Nothing in it needs adaptergen.
"""

from adaptergen.plugin.folder import plugin_wanted
from adaptergen.plugin.names import PluginName, plugin_name

__all__ = ["PluginName", "plugin_name", "plugin_wanted"]
