"""A component without what only observation told."""

from __future__ import annotations

from dataclasses import replace

from adaptergen.catalogue.model import Component


def unseen(component: Component) -> Component:
    """The component as reading its source alone gives it."""
    # What observation alone brought has no condition to name.
    known = [hook for hook in component.hooks if not hook.conditional or hook.depends_on]
    hooks = [replace(hook, by_default=None) if hook.conditional else hook for hook in known]
    return replace(component, hooks=tuple(hooks), hooks_source="syntax")
