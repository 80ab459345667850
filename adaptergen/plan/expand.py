"""Uses of components and shapes expanded to nodes, and checked on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adaptergen.catalogue import Catalogue
from adaptergen.plan.components import alias_problems, check_component, hook_points
from adaptergen.plan.node import Condition, Node
from adaptergen.plan.where import Setting, Where
from adaptergen.problems import Problem, SpecValueError, quote, suggestion
from adaptergen.spec.load import LoadedShape
from adaptergen.spec.shape import Component, Shape, ShapeUse, Use, Wrapping

#: A layer has a dozen; this is for those who write a bomb.
MAX_MODULES = 2000


@dataclass
class Expander:
    """Makes nodes of the components of one spec, and gathers every problem on the way."""

    shapes: Mapping[str, LoadedShape]
    shape_names: tuple[str, ...]
    catalogue: Catalogue
    problems: list[Problem] = field(default_factory=list)
    _made: int = 0

    def expand(self, key: str, use: Use, where: Where) -> Node | None:
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
        loaded = self._shape(use, where)
        if loaded is None:
            return None
        arguments = self._arguments(use, loaded.shape, where)
        inside = Where(loaded.source, (), arguments, (*where.inside, use.shape))
        added = self.submodules(use.add, where.at("add"))
        for node in added:
            if node.key in loaded.shape.submodules:
                message = f"the shape {quote(use.shape)} has a submodule {quote(node.key)} already"
                place = where.at("add", node.key)
                self.problems.append(
                    place.problem("submodule-twice", message, "use another key", key=True)
                )
        return self._node(key, use, loaded.shape, added, where, inside)

    def submodules(self, uses: Mapping[str, Use], where: Where) -> tuple[Node, ...]:
        """What several uses amount to."""
        nodes = (self.expand(key, use, where.at(key)) for key, use in uses.items())
        return tuple(node for node in nodes if node is not None)

    def _shape(self, use: ShapeUse, where: Where) -> LoadedShape | None:
        here = where.at("shape")
        if use.shape not in self.shapes:
            message = f"there is no shape {quote(use.shape)}"
            hint = suggestion(use.shape, self.shape_names) or "add its file to the folder shapes"
            self.problems.append(here.problem("unknown-shape", message, hint))
            return None
        if use.shape in where.inside:
            way = " -> ".join((*where.inside, use.shape))
            message, hint = f"the shapes go round: {way}", "leave this use out"
            self.problems.append(here.problem("shape-cycle", message, hint))
            return None
        return self.shapes[use.shape]

    def _arguments(self, use: ShapeUse, shape: Shape, where: Where) -> dict[str, Setting]:
        for name in use.arguments:
            if name not in shape.parameters:
                message = f"the shape {quote(use.shape)} has no parameter {quote(name)}"
                hint = suggestion(name, shape.parameters) or "delete it"
                place = where.at("with", name)
                self.problems.append(place.problem("unknown-parameter", message, hint, key=True))
        arguments = {**shape.parameters, **use.arguments}
        missing = [name for name, value in arguments.items() if value is None]
        if missing:
            message = f"the shape {quote(use.shape)} needs a value for {quote(missing[0])}"
            hint = f"add with: {missing[0]}: ..."
            self.problems.append(where.at("shape").problem("missing-argument", message, hint))
        return {name: value for name, value in arguments.items() if value is not None}

    def _node(
        self,
        key: str,
        use: Use,
        wrapping: Wrapping,
        added: tuple[Node, ...],
        where: Where,
        inside: Where,
    ) -> Node | None:
        submodules = self.submodules(wrapping.submodules, inside.at("submodules")) + added
        component = self.catalogue.components.get(wrapping.component)
        if component is None:
            version, name = self.catalogue.tl_version, quote(wrapping.component)
            message = f"TransformerLens {version} has no component {name}"
            hint = suggestion(wrapping.component, self.catalogue.components)
            place = inside.at("component")
            self.problems.append(place.problem("unknown-component", message, hint))
            return None
        self.problems += check_component(wrapping, component, inside, bool(added))
        replaced = use.hooks if isinstance(use, ShapeUse) else {}
        described = {
            name: (hook, inside.at("hooks", name)) for name, hook in wrapping.hooks.items()
        } | {name: (hook, where.at("hooks", name)) for name, hook in replaced.items()}
        aliases = {alias: targets[0] for alias, targets in component.hook_aliases.items()}
        aliases |= wrapping.aliases
        hooks, absent, problems = hook_points(described, aliases, component, inside)
        self.problems += problems
        self.problems += alias_problems(wrapping.aliases, hooks, submodules, inside)
        try:
            path = where.path(use.path)
        except SpecValueError as error:
            self.problems.append(where.at("path").problem(error.code, error.message, error.hint))
            return None
        return Node(
            key=key,
            bridge=component.name,
            module=component.module,
            path=path,
            title=wrapping.title if isinstance(wrapping, Shape) else component.name,
            takes_config=wrapping.config,
            options=tuple(wrapping.options.items()),
            submodules=submodules,
            hooks=hooks,
            absent=absent,
            aliases={
                alias: target for alias, target in aliases.items() if alias not in dict(absent)
            },
            functional=use.functional,
            condition=_condition(use),
            file=where.source.path,
            line=where.line,
            where=where,
        )


def _condition(use: Use) -> Condition | None:
    if use.when:
        return Condition(use.when, True)
    return Condition(use.unless, False) if use.unless else None
