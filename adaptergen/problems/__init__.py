"""Mistakes of the user, as data. Needs nothing outside the standard library."""

from adaptergen.problems.code import Code
from adaptergen.problems.codes import CODES
from adaptergen.problems.model import (
    MAX_FOUND,
    MAX_PROBLEMS,
    Failed,
    Loc,
    Place,
    Problem,
    SpecValueError,
    every,
)
from adaptergen.problems.render import render
from adaptergen.problems.text import character_name, listing, quote, suggestion, visible

__all__ = [
    "CODES",
    "MAX_FOUND",
    "MAX_PROBLEMS",
    "Code",
    "Failed",
    "Loc",
    "Place",
    "Problem",
    "SpecValueError",
    "character_name",
    "every",
    "listing",
    "quote",
    "render",
    "suggestion",
    "visible",
]
