"""The edit engine: one entry more (or less) in a file that people wrote, and nothing else changed.

Bytes in, bytes out; nothing is read or written here. A place is found by syntax, the least text is
inserted, and the result is verified: its syntax tree without the new entry is the old one. What
cannot be edited with certainty raises `Failed` with the file and the line.
"""

from adaptergen.edit.entries import Entry, add, check, names_under, remove, replace
from adaptergen.edit.imports import add_import
from adaptergen.edit.rows import add_rows, remove_rows, set_number
from adaptergen.edit.table import add_table_row

__all__ = [
    "Entry",
    "add",
    "add_import",
    "add_rows",
    "add_table_row",
    "check",
    "names_under",
    "remove",
    "remove_rows",
    "replace",
    "set_number",
]
