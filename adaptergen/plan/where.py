"""A place in a spec or shape, while it is being expanded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from adaptergen.problems import Failed, Loc, Problem, SpecValueError, quote, suggestion
from adaptergen.source import Source
from adaptergen.spec.names import check_path
from adaptergen.spec.shape import Parameter
from adaptergen.spec.values import Dimension, parse_dimension

Setting = bool | int | float | str | None
Value = TypeVar("Value")


@dataclass(frozen=True)
class Argument:
    """What a parameter stands for, None if that is not known; and where it is written."""

    value: Setting
    where: Where


@dataclass(frozen=True)
class Where:
    """A file, a location in it, and what the parameters of the shape in it stand for there.

    `inside` are the shapes that were entered on the way, each with the use that led to it.
    """

    source: Source
    loc: Loc = ()
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    inside: Mapping[str, Where] = field(default_factory=dict)

    def at(self, *loc: str | int) -> Where:
        """Further down in the same file."""
        # Called for every key of a spec, and `replace` takes more than twice as long.
        return Where(self.source, self.loc + loc, self.arguments, self.inside)

    def known(self, *loc: str | int) -> bool:
        """Whether it can be judged what stands there, or that nothing does (see `Source`)."""
        return self.source.known(self.loc + loc)

    def whole(self, *loc: str | int) -> bool:
        """Whether everything there and below it can be judged."""
        return self.source.whole(self.loc + loc)

    def problem(self, code: str, message: str, hint: str = "", key: bool = False) -> Problem:
        """A problem here."""
        return self.source.problem(code, message, hint, self.loc, key)

    @property
    def line(self) -> int:
        """The line of the key here."""
        return self.source.place(self.loc, key=True).line

    def path(self, path: Parameter | str) -> str:
        """The path here, or the one that a parameter stands for.

        `Failed` if it is none; without a problem if that is told elsewhere.
        """
        return self._argument(path, _parse_path) if isinstance(path, Parameter) else path

    def axis(self, axis: Parameter | Dimension) -> Dimension:
        """The axis here, or the one that a parameter stands for; `Failed` like `path`."""
        return self._argument(axis, parse_dimension) if isinstance(axis, Parameter) else axis

    def _argument(self, parameter: Parameter, parse: Callable[[Setting], Value]) -> Value:
        name = parameter.parameter
        argument = self.arguments.get(name)
        if argument is None:
            shape_known = not self.inside or self.source.known(("parameters", name))
            if not shape_known or not self.known("parameter"):
                raise Failed([])
            message = f"there is no parameter {quote(name)} here"
            hint = suggestion(name, self.arguments) or "declare it in parameters"
            raise Failed([self.problem("unknown-parameter", message, hint)])
        if argument.value is None:
            raise Failed([])
        try:
            return parse(argument.value)
        except SpecValueError as error:
            problem = argument.where.problem(error.code, error.message, error.hint)
            raise Failed([problem]) from None


def _parse_path(value: Setting) -> str:
    return check_path(str(value))
