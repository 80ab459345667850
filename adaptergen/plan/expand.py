"""Uses of components and shapes expanded to nodes, and checked on the way."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from adaptergen.behaviours import own_taps
from adaptergen.catalogue.model import Catalogue
from adaptergen.catalogue.model import Component as Known
from adaptergen.plan.components import (
    alias_problems,
    check_component,
    hook_points,
    inherited_problems,
    tap_problems,
)
from adaptergen.plan.helpers import HelperChoice
from adaptergen.plan.node import Argument, Condition, HookPoint, Location, Node, pos_axis
from adaptergen.problems import Failed, Problem, listing, quote, suggestion
from adaptergen.source.source import ANY
from adaptergen.spec.architecture import Blocks
from adaptergen.spec.load import LoadedShape
from adaptergen.spec.shape import Component, Parameter, Shape, ShapeUse, Use, Wrapping

#: A layer has a dozen; this is for those who write a bomb.
MAX_MODULES = 2000
#: Where TransformerLens looks for positions, unless a hook says otherwise.
_POS_DIM = 1


@dataclass
class Expander:
    """Makes nodes of the components of one spec, and gathers every problem on the way."""

    shapes: Mapping[str, LoadedShape]
    shape_names: tuple[str, ...]
    catalogue: Catalogue
    helpers: HelperChoice
    problems: list[Problem] = field(default_factory=list)
    _made: int = 0
    _circular: set[str] = field(default_factory=set)

    def expand(self, key: str, use: Use, where: Location) -> Node | None:
        """What the use of a component or shape at a place amounts to; None after a problem."""
        self._made += 1
        if self._made > MAX_MODULES:
            # Once: shapes that use shapes can stand for more than any machine holds.
            if self._made == MAX_MODULES + 1:
                message = f"the model has more than {MAX_MODULES} modules here"
                hint = "look for shapes that use each other again and again"
                self.problems.append(where.problem("too-many-modules", message, hint, key=True))
            return None
        if isinstance(use, Component):
            return self._node(key, use, use, (), where, where)
        shape, inside = self._shape(use, where)
        if shape is None or inside is None:
            return None
        added = self.submodules(use.add, where.at("add"))
        for name in use.add:
            if name in shape.submodules:
                message = f"the shape {quote(use.shape)} has a submodule {quote(name)} already"
                place = where.at("add", name)
                self.problems.append(
                    place.problem("submodule-twice", message, "use another key", key=True)
                )
        node = self._node(key, use, shape, added, where, inside)
        # What stands in a circle has no place of its own.
        return None if use.shape in self._circular else node

    def submodules(self, uses: Mapping[str, Use], where: Location) -> tuple[Node, ...]:
        """What several uses amount to."""
        nodes = (self.expand(key, use, where.at(key)) for key, use in uses.items())
        return tuple(node for node in nodes if node is not None)

    def _shape(self, use: ShapeUse, where: Location) -> tuple[Shape | None, Location | None]:
        """The shape of a use, and the place inside it; None if there is nothing to enter."""
        here = where.at("shape")
        loaded = self.shapes.get(use.shape)
        if loaded is None and here.is_resolved():
            message = f"there is no shape {quote(use.shape)}"
            hint = suggestion(use.shape, self.shape_names) or "add its file to the folder shapes"
            self.problems.append(here.problem("unknown-shape", message, hint))
        if loaded is None or loaded.shape is None or loaded.source is None:
            return None, None
        if use.shape in where.inside:
            names = list(where.inside)
            circle = names[names.index(use.shape) :]
            self.problems.append(_cycle(circle, where))
            self._circular.update(circle)
            return None, None
        entered = {**where.inside, use.shape: where}
        inside = Location(loaded.source, (), {}, entered)
        arguments = self._arguments(use, loaded.shape, where, inside)
        return loaded.shape, replace(inside, arguments=arguments)

    def _arguments(
        self, use: ShapeUse, shape: Shape, where: Location, inside: Location
    ) -> dict[str, Argument]:
        unknown = [name for name in use.arguments if name not in shape.parameters]
        for name in unknown:
            if inside.is_resolved("parameters", name):
                message = f"the shape {quote(use.shape)} has no parameter {quote(name)}"
                hint = suggestion(name, shape.parameters) or "delete it"
                place = where.at("with", name)
                self.problems.append(place.problem("unknown-parameter", message, hint, key=True))
        arguments, missing = {}, []
        for name, default in shape.parameters.items():
            passed = name in use.arguments
            place = where.at("with", name) if passed else inside.at("parameters", name)
            value = use.arguments[name] if passed else default
            if isinstance(value, Parameter):
                try:
                    arguments[name] = place.argument(value)
                except Failed as failed:
                    self.problems += failed.problems
                    arguments[name] = Argument(None, place)
                continue
            if value is None and place.is_resolved() and where.is_resolved("with", name):
                missing.append(name)
            arguments[name] = Argument(value if place.is_resolved() else None, place)
        # An argument with another name may be the one that is missing.
        if missing and not unknown:
            message = f"the shape {quote(use.shape)} needs a value for {listing(missing)}"
            hint = f"add with: {', '.join(f'{name}: ...' for name in missing)}"
            self.problems.append(where.at("shape").problem("missing-argument", message, hint))
        return arguments

    def _node(
        self,
        key: str,
        use: Use,
        wrapping: Wrapping,
        more: tuple[Node, ...],
        where: Location,
        inside: Location,
    ) -> Node | None:
        submodules = self.submodules(wrapping.submodules, inside.at("submodules")) + more
        taps = {**wrapping.taps, **(use.taps if isinstance(use, ShapeUse) else {})}
        tapped = {*taps, *own_taps(wrapping.component)}
        around = {name.partition(".")[0] for name in tapped if "." in name}
        submodules = tuple(replace(n, is_tapped=n.key in around) for n in submodules)
        try:
            path = where.at("path").path(use.path)
        except Failed as failed:
            self.problems += failed.problems
            path = ""
        component = self.catalogue.components.get(wrapping.component)
        if component is None:
            if inside.is_resolved("component"):
                version, name = self.catalogue.tl_version, quote(wrapping.component)
                message = f"TransformerLens {version} has no component {name}"
                hint = suggestion(wrapping.component, self.catalogue.components)
                place = inside.at("component")
                self.problems.append(place.problem("unknown-component", message, hint))
            return None
        self.problems += check_component(wrapping, component, inside, bool(more))
        replaced = use.hooks if isinstance(use, ShapeUse) else {}
        written = [(name, hook, inside) for name, hook in wrapping.hooks.items()]
        written += [(name, hook, where) for name, hook in replaced.items()]
        described = [(name, hook, place.at("hooks", name)) for name, hook, place in written]
        given = {alias: (to, inside) for alias, to in wrapping.aliases.items()}
        if isinstance(use, Blocks):
            given |= {alias: (to, where) for alias, to in use.aliases.items()}
        added = {a: (to,) if isinstance(to, str) else to for a, (to, _) in given.items()}
        aliases = {**component.hook_aliases, **added}
        offer = hook_points(described, aliases, component, inside, where, taps)
        # A use that takes a hook off takes off what fires it.
        taps = {name: tap for name, tap in taps.items() if name not in dict(offer.absent)}
        complete = offer.complete and _all_there(use, wrapping, submodules, inside, where)
        wrong: list[Problem] = []
        # Names of a block lead into the submodules that layers get one by one, and what is used as
        # one and is none is reported elsewhere.
        if not component.is_list_item and key != "blocks":
            wrong += alias_problems(added, offer.hooks, submodules, inside, complete)
            if complete:
                wrong += inherited_problems(component, offer, submodules, inside, self.catalogue)
        if complete:
            wrong += tap_problems(taps, offer.hooks, submodules, inside, where)
        self.problems += [*offer.problems, *wrong]
        complete = complete and not wrong
        is_valid = (
            complete
            and all(node.is_valid for node in submodules)
            and all(place.is_valid() for _, _, place in described)
            and all(where.is_resolved(word) for word in ("when", "unless", "slot"))
        )
        absent = dict(offer.absent)
        node = Node(
            key=key,
            bridge=component.name,
            module=component.module,
            path=path,
            title=wrapping.title if isinstance(wrapping, Shape) else component.name,
            takes_config=wrapping.config,
            options=tuple(wrapping.options.items()),
            taps=taps,
            fused_in_training=wrapping.fused_in_training,
            submodules=submodules,
            hooks=offer.hooks,
            absent=offer.absent,
            aliases={alias: to for alias, to in aliases.items() if alias not in absent},
            condition=_condition(use),
            where=where,
            written=inside,
            added_aliases={
                alias: place.at("aliases", alias)
                for alias, (_, place) in given.items()
                if alias not in absent
            },
            complete=complete,
            pos_dims=_pos_dims(offer.hooks, component, tapped),
            is_valid=is_valid,
        )
        return replace(node, helper=self.helpers.maker_of(node))


def _pos_dims(
    hooks: Iterable[HookPoint], component: Known, tapped: Container[str]
) -> dict[str, int]:
    """Axes of positions by hooks, where TransformerLens would take another axis for them.

    Components with taps say so of the hooks on which their taps are.
    """
    declared = {hook.name: hook.pos_dim for hook in component.hooks if hook.pos_dim is not None}
    found = {}
    for hook in hooks:
        axis = pos_axis(hook.axes)
        if axis is None or len(hook.axes) < 2 or hook.name in tapped:
            continue
        if axis != declared.get(hook.name, _POS_DIM):
            found[hook.name] = axis
    return found


def _all_there(
    use: Use,
    wrapping: Wrapping,
    submodules: tuple[Node, ...],
    inside: Location,
    where: Location,
) -> bool:
    """Whether all submodules were made, and no name is missing of what they and hooks are."""
    expected = len(wrapping.submodules) + (len(use.add) if isinstance(use, ShapeUse) else 0)
    lists = [inside.at("hooks"), inside.at("submodules"), where.at("hooks"), where.at("add")]
    return (
        len(submodules) == expected
        and all(node.complete for node in submodules)
        and all(place.is_resolved(ANY) for place in lists)
        and inside.is_resolved("aliases", ANY)
        and inside.is_valid("aliases")
    )


def _cycle(circle: list[str], where: Location) -> Problem:
    """Of shapes of which the last uses the first at a place.

    The problem is the same wherever the circle was entered.
    """
    start = circle.index(min(circle))
    names = circle[start:] + circle[:start]
    # The use that led to the first one is not part of the circle.
    use = where.inside[names[0]] if start else where
    message = f"the shapes go round: {' -> '.join((*names, names[0]))}"
    return use.at("shape").problem("shape-cycle", message, "leave this use out")


def _condition(use: Use) -> Condition | None:
    if use.when:
        return Condition.of(use.when)
    return Condition.of(use.unless, holds=False) if use.unless else None
