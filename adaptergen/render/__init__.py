"""From a plan to the text of every file, formatted."""

from adaptergen.render.files import render_files
from adaptergen.render.hook_page import hook_table

__all__ = ["hook_table", "render_files"]
