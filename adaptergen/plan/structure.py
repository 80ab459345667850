"""What the generated code can express: checks of the components as they fit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from adaptergen.catalogue import Catalogue
from adaptergen.plan.node import Node
from adaptergen.plan.taken import COMPONENT_ATTRIBUTES
from adaptergen.problems import Problem, listing, quote, suggestion

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
    for top in (*components, *blocks, *shared, *kinds.values()):
        for _, node in top.walk():
            problems += _names(node, node.submodules)
            if node is not block:
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


def _names(node: Node, submodules: Iterable[Node]) -> Iterator[Problem]:
    taken = {hook.name for hook in node.hooks} | set(node.aliases) | COMPONENT_ATTRIBUTES
    for child in submodules:
        if child.key in taken:
            message = f"{node.bridge} has something else called {quote(child.key)}"
            yield child.where.problem("name-taken", message, _OTHER, key=True)
        elif child.key.startswith("_"):
            message = f"{quote(child.key)} starts with `_`, like what components keep to themselves"
            yield child.where.problem("name-taken", message, _OTHER, key=True)


def _condition(node: Node, hooks: bool = True) -> Iterator[Problem]:
    conditional = [hook.name for hook in node.hooks if hook.when] if hooks else []
    if node.condition or conditional:
        word = "unless" if node.condition and not node.condition.is_set else "when"
        message = "only what stands inside a layer may depend on the config"
        place = node.where.at(word) if node.condition else node.where
        yield place.problem("misplaced-when", message, f"delete {word}", key=True)
