"""Methods that adapters inherit from TransformerLens and that do exactly what a plan says."""

from __future__ import annotations

from collections.abc import Mapping

from adaptergen.catalogue.model import Catalogue, Helper
from adaptergen.plan.node import HelperCall, Node
from adaptergen.spec.values import Setting


class HelperChoice:
    """Finds the methods of one TransformerLens for one adapter.

    `attributes` are those of the adapter's class that have to name the class of a component.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.attributes: dict[str, Node] = {}

    def maker_of(self, node: Node) -> HelperCall | None:
        """The call that makes a component and all below it."""
        for name, helper in self._catalogue.adapter_helpers.items():
            given: dict[str, Setting] = {}
            if helper.component and self._makes(helper, node, given):
                return _call(name, helper, given)
        return None

    def setter_of(self, flags: Mapping[str, Setting]) -> tuple[HelperCall | None, list[str]]:
        """The call that sets most of the flags, and which; fields beside them keep defaults."""
        best: tuple[HelperCall | None, list[str]] = None, []
        for name, helper in self._catalogue.adapter_helpers.items():
            given: dict[str, Setting] = {}
            done = [field for field in helper.sets if field in flags]
            fits = all(
                _binds(text, flags[field], given) if field in flags else self._keeps(field, text)
                for field, text in helper.sets.items()
            )
            if fits and len(done) > max(1, len(best[1])):
                best = _call(name, helper, given), done
        return best

    def _keeps(self, field: str, text: str) -> bool:
        known = self._catalogue.config_fields.get(field)
        return known is not None and known.default == text

    def _makes(self, helper: Helper, node: Node, given: dict[str, Setting]) -> bool:
        component = self._catalogue.components[node.bridge]
        alike = (
            node.takes_config
            and not (node.options or node.taps or node.fused_in_training)
            and _binds(helper.path, node.path, given)
            and [child.key for child in node.submodules] == list(helper.submodules)
            and all(
                _is_plain(child) and child.bridge == made and _binds(path, child.path, given)
                for child in node.submodules
                for made, _, path in [helper.submodules[child.key].partition(" ")]
            )
        )
        if not alike:
            return False
        for option, parameter in helper.options.items():
            keyword = component.keyword(option)
            if keyword is None or keyword.default != helper.defaults[parameter]:
                given[parameter] = None
        _, own, attribute = helper.component.rpartition("self.")
        if not own:
            return helper.component == node.bridge
        fits = component.keyword("optional") is not None
        return fits and self.attributes.setdefault(attribute, node).bridge == node.bridge


def _is_plain(node: Node) -> bool:
    """Whether the component is made by its class and its path alone."""
    overwritten = [hook for hook in node.hooks if hook.overwritten]
    more = (node.submodules, node.options, node.taps, node.absent, node.pos_dims, overwritten)
    return not any(more) and not node.takes_config and not node.fused_in_training


def _binds(text: str, value: Setting, given: dict[str, Setting]) -> bool:
    """Whether a value of a method is this one, or a parameter that can be."""
    if not text.startswith("{"):
        return text == repr(value)
    return given.setdefault(text[1:-1], value) == value


def _call(name: str, helper: Helper, given: Mapping[str, Setting]) -> HelperCall:
    changed = {key: value for key, value in given.items() if repr(value) != helper.defaults[key]}
    return HelperCall(name, tuple(changed.items()))
