"""The codes of problems with a package to be made, and with the folder for it."""

from __future__ import annotations

from adaptergen.problems.code import Code

PLUGIN_CODES = {
    "plugin-name": Code(
        "The folder's name is no name for a package",
        "The folder gives its name to the distribution, and with `_` for `-` and `.` to the "
        "Python package. The name is not one that can be installed, or something else has that "
        "name: a module of Python, a well-known package, or one that is installed here.",
        "`--plugin tl-helium`",
    ),
    "plugin-folder": Code(
        "The folder holds something else",
        "A package is written to a new folder, an empty one, or one that was written before. "
        "This one holds files of which adaptergen knows nothing.",
        "Name a folder that does not exist yet.",
    ),
    "plugin-clash": Code(
        "Two specs of one package have the same name for something",
        "In a package each architecture, module and adapter class stands for one spec.",
        "Export one of the two, or each to a folder of its own.",
    ),
}
