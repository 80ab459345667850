"""Components with everything about them decided, and where in a spec or shape they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from adaptergen.problems import Failed, Loc, Problem, SpecValueError, quote, suggestion
from adaptergen.source.source import Source
from adaptergen.spec.arithmetic import Dimension, parse_dimension
from adaptergen.spec.shape import Contract, FieldValue, Parameter, Tap
from adaptergen.spec.values import Setting, check_attribute_path

Value = TypeVar("Value")


@dataclass(frozen=True)
class Argument:
    """What a parameter stands for, None if that is not known; and where it is written."""

    value: Setting
    where: Location


@dataclass(frozen=True)
class Location:
    """A file, a location in it, and what the parameters of the shape in it stand for there.

    `inside` are the shapes that were entered on the way, each with the use that led to it.
    """

    source: Source
    loc: Loc = ()
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    inside: Mapping[str, Location] = field(default_factory=dict)

    def at(self, *loc: str | int) -> Location:
        """Further down in the same file."""
        # Called for every key of a spec, and `replace` takes more than twice as long.
        return Location(self.source, self.loc + loc, self.arguments, self.inside)

    def is_resolved(self, *loc: str | int) -> bool:
        """Whether it can be judged what stands there, or that nothing does (see `Source`)."""
        return self.source.is_resolved(self.loc + loc)

    def is_valid(self, *loc: str | int) -> bool:
        """Whether everything there and below it can be judged."""
        return self.source.is_valid(self.loc + loc)

    def problem(self, code: str, message: str, hint: str = "", key: bool = False) -> Problem:
        """A problem here."""
        return self.source.problem(code, message, hint, self.loc, key)

    @property
    def file(self) -> str:
        """The file, as problems name it."""
        return self.source.path

    @property
    def line(self) -> int:
        """The line of the key here."""
        return self.source.place(self.loc, key=True).line

    def path(self, path: Parameter | str) -> str:
        """The path here, or the one that a parameter stands for.

        `Failed` if it is none; without a problem if that is reported elsewhere.
        """
        if isinstance(path, Parameter):
            return self._argument(path, lambda value: check_attribute_path(str(value)))
        return path

    def axis(self, axis: Parameter | Dimension) -> Dimension:
        """The axis here, or the one that a parameter stands for; `Failed` like `path`."""
        return self._argument(axis, parse_dimension) if isinstance(axis, Parameter) else axis

    def _argument(self, parameter: Parameter, parse: Callable[[Setting], Value]) -> Value:
        argument = self.argument(parameter)
        if argument.value is None:
            raise Failed([])
        try:
            return parse(argument.value)
        except SpecValueError as error:
            problem = argument.where.problem(error.code, error.message, error.hint)
            raise Failed([problem]) from None

    def argument(self, parameter: Parameter) -> Argument:
        """What a parameter of the shape here stands for; `Failed` like `path` if it has none."""
        name = parameter.parameter
        argument = self.arguments.get(name)
        if argument is None:
            shape_known = not self.inside or self.source.is_resolved(("parameters", name))
            if not shape_known or not self.is_resolved("parameter"):
                raise Failed([])
            message = f"there is no parameter {quote(name)} here"
            hint = suggestion(name, self.arguments) or "declare it in parameters"
            raise Failed([self.problem("unknown-parameter", message, hint)])
        return argument


@dataclass(frozen=True)
class Condition:
    """Whether a field of the HF config has to have a value, or where that is None, any at all."""

    field: str
    holds: bool
    value: Setting = None

    @classmethod
    def of(cls, written: str | FieldValue, holds: bool = True) -> Condition:
        """The condition that a spec or shape has."""
        if isinstance(written, str):
            return cls(written, holds)
        return cls(written.field, holds, written.value)

    def is_met(self, config: object) -> bool:
        """Whether an HF config meets it."""
        found = getattr(config, self.field, None)
        return (found is not None if self.value is None else found == self.value) == self.holds


def pos_axis(axes: Iterable[Dimension]) -> int | None:
    """Which axis is that of positions, the first of several; None if none is."""
    return next((i for i, axis in enumerate(axes) if {"pos", "kv_pos"} & set(axis.names)), None)


@dataclass(frozen=True)
class HookPoint:
    """A hook that the adapter offers: its axes, outermost first, what it holds, its exception.

    `silent_when_processed` is the reason, if compatibility mode silences it.
    It is described at `where`, in a spec or a shape.
    """

    name: str
    axes: tuple[Dimension, ...]
    tensor: str
    contract: Contract | None
    when: Condition | None
    heads: str | None
    overwritten: bool
    silent_when_processed: str | None
    where: Location = field(compare=False, repr=False)


@dataclass(frozen=True)
class HelperCall:
    """A call of a method that adapters inherit, with the arguments that are not its defaults."""

    method: str
    arguments: tuple[tuple[str, Setting], ...] = ()


@dataclass(frozen=True)
class Node:
    """A bridge component around the HF module at `path`, bound under `key`.

    It is used at `where`, and `written` there or in a shape.
    `taps` are on its own hooks and on those below it; `is_tapped` if the component around it has
    taps on its hooks. `pos_dims` are axes of positions that its class does not give its hooks.
    `absent` are hooks and aliases taken off it, with the reason; `added_aliases` those that its
    class does not have so, by where they are written; `condition` says under which config HF has
    the module. A node is `complete` if the names of all hooks on and below it are
    known, and `is_valid` if their contracts are known too; both hold in a plan.
    """

    key: str
    bridge: str
    module: str
    path: str
    title: str
    takes_config: bool
    options: tuple[tuple[str, Setting], ...]
    taps: Mapping[str, Tap]
    fused_in_training: bool
    submodules: tuple[Node, ...]
    hooks: tuple[HookPoint, ...]
    absent: tuple[tuple[str, str], ...]
    aliases: Mapping[str, tuple[str, ...]]
    condition: Condition | None
    where: Location = field(compare=False, repr=False)
    written: Location = field(compare=False, repr=False)
    added_aliases: Mapping[str, Location] = field(compare=False, repr=False)
    pos_dims: Mapping[str, int] = field(default_factory=dict)
    is_tapped: bool = False
    helper: HelperCall | None = None
    is_list: bool = False
    """Whether it is a list of layers beside the blocks; each of them gets a copy."""
    complete: bool = True
    is_valid: bool = True

    @property
    def token_hooks(self) -> tuple[str, ...]:
        """Hooks with batch and position in one first axis."""
        return tuple(
            sorted(
                hook.name
                for hook in self.hooks
                if hook.axes and {"batch", "pos"} <= set(hook.axes[0].names)
            )
        )

    def conditional(self, prefix: str = "") -> dict[str, Condition]:
        """What of this component depends on the HF config: submodules and hooks, at any depth."""
        found = {prefix + hook.name: hook.when for hook in self.hooks if hook.when}
        return found | conditional(self.submodules, prefix)

    def walk(self, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """This component and all below it, each with its dotted name.

        In the names of what a list has, `*` stands for the number of the layer.
        """
        name = prefix + (f"{self.key}.*" if self.is_list else self.key)
        yield name, self
        for node in self.submodules:
            yield from node.walk(f"{name}.")


def conditional(nodes: Iterable[Node], prefix: str = "") -> dict[str, Condition]:
    """What of components depends on the HF config: each as a whole, or what is in it."""
    found: dict[str, Condition] = {}
    for node in nodes:
        name = prefix + node.key
        found |= {name: node.condition} if node.condition else node.conditional(f"{name}.")
    return found
