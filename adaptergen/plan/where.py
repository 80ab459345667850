"""A place in a spec or shape, while it is being expanded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adaptergen.problems import Loc, Problem, SpecValueError, quote, suggestion
from adaptergen.source import Source
from adaptergen.spec.names import check_path
from adaptergen.spec.shape import Parameter
from adaptergen.spec.values import Dimension, parse_dimension

Setting = bool | int | float | str | None
Value = TypeVar("Value")


@dataclass(frozen=True)
class Where:
    """A file, a location in it, and what the parameters of the shape in it stand for there.

    `inside` names the shapes that were entered on the way.
    """

    source: Source
    loc: Loc = ()
    arguments: Mapping[str, Setting] = field(default_factory=dict)
    inside: tuple[str, ...] = ()

    def at(self, *loc: str | int) -> Where:
        """Further down in the same file."""
        return replace(self, loc=self.loc + loc)

    def problem(self, code: str, message: str, hint: str = "", key: bool = False) -> Problem:
        """A problem here."""
        return self.source.problem(code, message, hint, self.loc, key)

    @property
    def line(self) -> int:
        """The line of the key here."""
        return self.source.place(self.loc, key=True).line

    def path(self, path: Parameter | str) -> str:
        """A path, or the one that a parameter stands for; `SpecValueError` if it is none."""
        return check_path(str(self._argument(path))) if isinstance(path, Parameter) else path

    def axis(self, axis: Parameter | Dimension) -> Dimension:
        """An axis, or the one that a parameter stands for; `SpecValueError` if it is none."""
        return parse_dimension(self._argument(axis)) if isinstance(axis, Parameter) else axis

    def _argument(self, parameter: Parameter) -> Setting:
        name = parameter.parameter
        if name not in self.arguments:
            message = f"there is no parameter {quote(name)} here"
            hint = suggestion(name, self.arguments) or "declare it in parameters"
            raise SpecValueError("unknown-parameter", message, hint)
        return self.arguments[name]
