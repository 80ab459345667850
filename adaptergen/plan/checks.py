"""Checks of how the parts of a spec fit: components, kinds of layer, derived values, hooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from adaptergen.catalogue.model import Catalogue
from adaptergen.plan.model import HookRow, KindPlan
from adaptergen.plan.names import AS_WEIGHTS
from adaptergen.plan.node import Location, Node
from adaptergen.problems import Problem, SpecValueError, listing, quote, suggestion
from adaptergen.resources import reserved_names
from adaptergen.source.source import ANY
from adaptergen.spec.architecture import Blocks, Kind, Spec

_OTHER = "choose another name"


def structure_problems(
    components: tuple[Node, ...],
    block: Node | None,
    shared: tuple[Node, ...],
    kinds: Mapping[str, Node],
    catalogue: Catalogue,
) -> list[Problem]:
    """Every component that stands where the templates have nothing for it."""
    blocks = (block,) if block else ()
    problems: list[Problem] = []
    for node in blocks:
        problems += [*_block(node, catalogue), *_names(node, shared)]
        problems += _names(node, kinds.values(), "slot")
    for top in (*components, *blocks, *shared, *kinds.values()):
        for _, node in top.walk():
            problems += _names(node, node.submodules)
            if node is not block and not node.is_list:
                problems += _inner_block(node, catalogue)
    for top in (*components, *blocks):
        for _, node in top.walk():
            problems += _condition(node)
    problems += [problem for node in kinds.values() for problem in _condition(node, hooks=False)]
    return problems


def _block(block: Node, catalogue: Catalogue) -> Iterator[Problem]:
    component, place = catalogue.components[block.bridge], block.where.at("shape")
    if not component.is_list_item:
        blocks = [name for name, known in catalogue.components.items() if known.is_list_item]
        message, hint = f"{block.bridge} is not a block", suggestion("BlockBridge", blocks)
        yield place.problem("block-shape", message, hint)
    points = {hook.name for hook in component.hooks}
    taken_off = any(name in points for name, _ in block.absent)
    given = {"submodules": block.submodules, "options": block.options, "absent hooks": taken_off}
    extra = [word for word, there in given.items() if there]
    if extra:
        message = f"the adapter cannot give the blocks {listing(extra)} of their shape"
        hint = "put submodules below blocks.submodules" if block.submodules else "delete them"
        yield place.problem("block-shape", message, hint)


def _inner_block(node: Node, catalogue: Catalogue) -> Iterator[Problem]:
    if catalogue.components[node.bridge].is_list_item:
        message = f"{node.bridge} is a block, and {quote(node.key)} is no list of layers"
        hint = "take the shape of what HF has there"
        yield node.where.problem("block-shape", message, hint, key=True)


def _names(node: Node, submodules: Iterable[Node], word: str = "") -> Iterator[Problem]:
    """Keys of submodules that are taken; a `word` has each key where it is not the key itself."""
    taken = {hook.name for hook in node.hooks} | set(node.aliases) | reserved_names("component")
    for child in submodules:
        place = child.where.at(word) if word else child.where
        if not place.is_resolved():
            continue
        if child.key in taken:
            message = f"{node.bridge} has something else called {quote(child.key)}"
            yield place.problem("name-taken", message, _OTHER, key=not word)
        elif child.key.startswith("_"):
            message = f"{quote(child.key)} starts with `_`, like what components keep to themselves"
            yield place.problem("name-taken", message, _OTHER, key=not word)
        elif child.key.startswith(AS_WEIGHTS):
            message = f"TransformerLens takes {quote(f'{node.key}.{child.key}')} for a weight"
            hint = "choose a name that starts with neither `b`, `w` nor `W_`"
            yield place.problem("name-taken", message, hint, key=not word)


def _condition(node: Node, hooks: bool = True) -> Iterator[Problem]:
    conditional = [hook.name for hook in node.hooks if hook.when] if hooks else []
    if node.condition or conditional:
        word = "unless" if node.condition and not node.condition.holds else "when"
        message = "only what stands inside a layer may depend on the config"
        place = node.where.at(word) if node.condition else node.where
        yield place.problem("misplaced-when", message, f"delete {word}", key=True)


def layer_problems(spec: Spec, top: Location) -> list[Problem]:
    """Everything about the kinds that only shows where all are seen at once."""
    here, problems = top.at("blocks"), list[Problem]()
    if "blocks" in spec.components:
        message = "blocks are not among the components"
        place = top.at("components", "blocks")
        problems.append(place.problem("blocks-twice", message, "delete it"))
    problems += _told_apart(spec.blocks, here)
    problems += _former_names(spec.blocks, here)
    problems += _slots(spec.blocks, here)
    problems += _in_tiny(spec, top)
    return problems


def _told_apart(blocks: Blocks, here: Location) -> Iterator[Problem]:
    unclear = [name for name, kind in blocks.kinds.items() if not kind.has_submodule]
    if blocks.kind and not unclear and here.is_resolved("kinds", ANY):
        message = "kind names an attribute, and has_submodule tells every kind"
        yield here.at("kind").problem("ambiguous-kinds", message, "delete kind, or has_submodule")
    places = [here.at("kind"), *(here.at("kinds", name, "has_submodule") for name in unclear)]
    lacking = all(place.is_resolved() for place in places)
    if not blocks.kind and unclear and lacking:
        message = "the kinds of layer cannot be told apart"
        yield here.problem("ambiguous-kinds", message, "add kind, or has_submodule to every kind")


def _former_names(blocks: Blocks, here: Location) -> Iterator[Problem]:
    seen = set(blocks.kinds)
    for name, kind in blocks.kinds.items():
        place = here.at("kinds", name, "formerly")
        for index, former in enumerate(kind.formerly):
            if not place.is_resolved(index):
                continue
            if former in seen:
                message = f"two kinds of layer are called {quote(former)}"
                hint = "delete one of the two names"
                yield place.at(index).problem("kind-twice", message, hint)
            seen.add(former)


def _slots(blocks: Blocks, here: Location) -> Iterator[Problem]:
    at_path: dict[str, list[Kind]] = {}
    for name, kind in blocks.kinds.items():
        place = here.at("kinds", name)
        if not place.is_resolved("slot"):
            continue
        if kind.slot in blocks.submodules:
            message = f"the slot {quote(kind.slot)} is a submodule of every layer already"
            yield place.at("slot").problem("slot-taken", message, "choose another")
        if not all(place.is_resolved(word) for word in ("path", "has_submodule")):
            continue
        others = at_path.setdefault(str(kind.path), [])
        slots = {other.slot for other in others if other.has_submodule or kind.has_submodule}
        if slots - {kind.slot} and here.is_resolved("kind"):
            message = f"kinds at one path are in the slots {listing([*sorted(slots), kind.slot])}"
            hint = "say by kind: where the kinds are listed, to translate names of weights"
            yield place.at("slot").problem("ambiguous-slot", message, hint)
        others.append(kind)


def _in_tiny(spec: Spec, top: Location) -> Iterator[Problem]:
    here, kinds = top.at("tiny", "kinds"), spec.blocks.kinds
    named = [
        (here.at(index) if isinstance(of, str) else here.at(index, number), kind)
        for index, of in enumerate(spec.tiny.kinds)
        for number, kind in enumerate((of,) if isinstance(of, str) else of)
    ]
    unknown = [(place, kind) for place, kind in named if kind not in kinds]
    for place, kind in unknown:
        if place.is_resolved() and top.is_resolved("blocks", "kinds", kind):
            message = f"{quote(kind)} is not a kind of layer"
            yield place.problem("unknown-kind", message, suggestion(kind, kinds))
    missing = [kind for kind in kinds if kind not in {kind for _, kind in named}]
    # What is not a kind may stand for one that is missing.
    if missing and not unknown and here.is_valid():
        message = f"the tiny model has no layer of kind {listing(missing)}"
        hint = "add one" if len(missing) == 1 else "add one of each"
        yield here.problem("kind-untested", message, hint)
    if not unknown and here.is_valid() and top.is_valid("blocks"):
        for index, of in enumerate(spec.tiny.kinds):
            yield from _of_layer((of,) if isinstance(of, str) else of, spec.blocks, here.at(index))


def _of_layer(names: Sequence[str], blocks: Blocks, here: Location) -> Iterator[Problem]:
    """Kinds that no layer is of together."""
    by_attribute = [name for name, kind in blocks.kinds.items() if not kind.has_submodule]
    told = [name for name in names if name in by_attribute]
    if blocks.kind and by_attribute and len(told) != 1:
        message = f"a layer is of one of the kinds that {quote(blocks.kind.attribute)} tells"
        hint = f"keep {listing(told, 'or')}" if told else f"add {listing(by_attribute, 'or')}"
        yield here.problem("ambiguous-kinds", message, hint)
    in_slot: dict[str, str] = {}
    for name in names:
        slot = blocks.kinds[name].slot
        other = in_slot.setdefault(slot, name)
        if other != name and len(told) < 2:
            message = f"{listing([other, name])} are both in the slot {quote(slot)}"
            yield here.problem("slot-taken", message, f"keep {listing([other, name], 'or')}")


def derived_problems(spec: Spec, top: Location) -> Iterator[Problem]:
    """Derived values made from nothing, from names without a value, or that are no number."""
    config, here = spec.config, top.at("config", "derived")
    listed = top.is_valid("config", "from_hf")
    made_of = (
        config.from_hf or spec.blocks.kind or not listed or not top.is_resolved("blocks", "kind")
    )
    if config.derived and not made_of:
        message = "derived values are made from from_hf, which is empty"
        yield here.problem("derived-without-inputs", message, "add a field to it", key=True)
    # Values that no config has by default, no two alike: what cannot be worked out fails here.
    known, values = list(config.from_hf), {name: 6 + 4 * i for i, name in enumerate(config.from_hf)}
    for name, expression in config.derived.items():
        place = here.at(name)
        unknown = [used for used in expression.names if used not in known]
        if place.is_resolved() and listed and here.is_resolved(ANY):
            for used in unknown:
                message = f"{quote(used)} is neither in from_hf nor derived above"
                # Either name may be the one that is written wrong.
                near = suggestion(used, known)
                add = f"add {quote(used)} to from_hf"
                hint = f"{near} (or {add})" if near else add
                yield place.problem("unknown-name", message, hint)
        known.append(name)
        if place.is_resolved() and all(used in values for used in expression.names):
            try:
                values[name] = expression.value(values)
            except SpecValueError as error:
                yield place.problem(error.code, error.message, error.hint)


def promise_problems(kinds: Iterable[KindPlan], top: Location) -> Iterator[Problem]:
    """Hooks of one name that promise different things."""
    first: dict[str, tuple[str, HookRow]] = {}
    for kind in kinds:
        # Of what is broken, nothing is known that could differ.
        for row in kind.hooks if kind.node.is_valid else ():
            other, known = first.setdefault(row.name, (kind.name, row))
            if (known.contract, known.condition) != (row.contract, row.condition):
                differ = listing([other, kind.name])
                message = f"{quote(row.name)} does not promise the same on {differ}"
                hint = "give one of the two another slot, or both the same contract"
                place = top.at("blocks", "kinds", kind.name)
                yield place.problem("conflicting-contracts", message, hint, key=True)
                break


@dataclass(frozen=True)
class Doubt:
    """Which components may have hooks that are not known: none of those is missed.

    `keys` are those whose hooks are not all known. Unless `all_declared`, any other may be there.
    """

    keys: frozenset[str]
    all_declared: bool

    @classmethod
    def of(cls, spec: Spec, nodes: Iterable[Node], top: Location) -> Doubt:
        """The doubt that is left by problems; `nodes` are the tops of all components."""
        blocks, slots = spec.blocks, [kind.slot for kind in spec.blocks.kinds.values()]
        declared = Counter([*spec.components, *blocks.submodules, *slots])
        lists = ("components",), ("blocks", "submodules"), ("blocks", "kinds")
        declaring = [(*loc, ANY) for loc in lists]
        declaring += [("blocks", "kinds", name, "slot") for name in blocks.kinds]
        return cls(
            frozenset(declared - Counter(node.key for node in nodes if node.complete)),
            all(top.is_resolved(*loc) for loc in declaring),
        )

    def reaches(self, hook: str) -> bool:
        """Whether there may be a hook of that name."""
        first, dot, _ = hook.partition(".")
        return bool(dot) and (not self.all_declared or first in self.keys)


def block_alias_problems(
    block: Node, layers: Iterable[Iterable[HookRow]], doubt: Doubt
) -> Iterator[Problem]:
    """Aliases of the block that have the name of a hook, or lead to none in any kind of layer.

    What a shape lists may be there in the layers of other families.
    """
    known = list(dict.fromkeys(row.name for table in layers for row in table))
    own = {hook.name for hook in block.hooks}
    for alias, here in block.added_aliases.items():
        targets = block.aliases[alias]
        if alias in own:
            message = f"{quote(alias)} is a hook, so it cannot be an alias"
            yield here.problem("name-taken", message, "delete it", key=True)
        found = [target for target in targets if target in known or doubt.reaches(target)]
        if found and here.source is not block.where.source:
            continue
        for index, target in enumerate(targets):
            if target not in found and here.is_resolved() and here.is_resolved(index):
                message = f"no layer has a hook {quote(target)}"
                yield here.at(index).problem("unknown-hook", message, suggestion(target, known))


def replacement_problems(
    spec: Spec,
    tables: Iterable[Iterable[HookRow]],
    block: Node,
    doubt: Doubt,
    top: Location,
) -> Iterator[Problem]:
    """Replacements that are no hook in any table."""
    reached = {alias for alias, to in block.aliases.items() if any(map(doubt.reaches, to))}
    offered = {name for table in tables for row in table for name in (row.name, *row.aliases)}
    for old, new in spec.replaces.items():
        place = top.at("replaces", old)
        if new is None or new in offered or new in reached or not place.is_resolved():
            continue
        if not doubt.reaches(new):
            message = f"neither a layer nor the model has a hook {quote(new)}"
            yield place.problem("unknown-hook", message, suggestion(new, offered))
