"""From a plan to the text of every file, formatted."""

from adaptergen.render.files import render_files

__all__ = ["render_files"]
