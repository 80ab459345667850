"""A catalogue as plain JSON values, and back.

Keywords, hooks and the like are written in their shortest form: a dict from name to
default (null where required), lists of names. Tests hold the two directions together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adaptergen.catalogue.errors import CatalogueError
from adaptergen.catalogue.model import (
    Catalogue,
    Component,
    ConfigField,
    Hook,
    Keyword,
    RegistrationSite,
)

FORMAT = 1

# What json.load gives; its shape is checked by reading it.
Json = dict[str, Any]


def encode(catalogue: Catalogue) -> Json:
    """The catalogue as JSON values."""
    return {
        "catalogue": FORMAT,
        "transformer_lens": catalogue.tl_version,
        "gaps": list(catalogue.gaps),
        "components": {
            name: _encode_component(component)
            for name, component in sorted(catalogue.components.items())
        },
        "sites": [
            {
                "file": site.file,
                "container": site.container,
                "kind": site.kind,
                "entries": list(site.entries),
            }
            for site in catalogue.sites
        ],
        "adapters": dict(sorted(catalogue.adapters.items())),
        "adapter_attributes": dict(sorted(catalogue.adapter_attributes.items())),
        "config_fields": {
            name: {
                "type": field.type,
                "default": field.default,
                **({} if field.read else {"read": False}),
            }
            for name, field in sorted(catalogue.config_fields.items())
        },
        "passthrough": list(catalogue.passthrough),
        "bridge_aliases": {
            alias: list(targets) for alias, targets in sorted(catalogue.bridge_aliases.items())
        },
        "abilities": list(catalogue.abilities),
    }


def decode(data: Json) -> Catalogue:
    """The catalogue that ``encode`` wrote. Raises CatalogueError on anything else."""
    try:
        if data["catalogue"] != FORMAT:
            raise CatalogueError(
                f"The catalogue has format {data['catalogue']}; this program reads {FORMAT}.",
                "Make it anew with `adaptergen catalog --tl PATH`.",
            )
        return Catalogue(
            tl_version=data["transformer_lens"],
            gaps=tuple(data["gaps"]),
            components={
                name: _decode_component(name, entry) for name, entry in data["components"].items()
            },
            sites=tuple(
                RegistrationSite(
                    entry["file"], entry["container"], entry["kind"], tuple(entry["entries"])
                )
                for entry in data["sites"]
            ),
            adapters=data["adapters"],
            adapter_attributes=data["adapter_attributes"],
            config_fields={
                name: ConfigField(name, entry["type"], entry["default"], entry.get("read", True))
                for name, entry in data["config_fields"].items()
            },
            passthrough=tuple(data["passthrough"]),
            bridge_aliases={
                alias: tuple(targets) for alias, targets in data["bridge_aliases"].items()
            },
            abilities=tuple(data["abilities"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CatalogueError(
            f"The catalogue is damaged: {type(error).__name__}: {error}.",
            "Make it anew with `adaptergen catalog --tl PATH`.",
        ) from error


def _encode_component(component: Component) -> Json:
    return {
        "module": component.module,
        "bases": list(component.bases),
        "keywords": {keyword.name: keyword.default for keyword in component.keywords},
        "unused_keywords": [keyword.name for keyword in component.keywords if keyword.unused],
        "swallows_unknown": component.swallows_unknown,
        "is_list_item": component.is_list_item,
        "hook_aliases": {
            alias: targets[0] if len(targets) == 1 else list(targets)
            for alias, targets in sorted(component.hook_aliases.items())
        },
        "aliases_vary": component.aliases_vary,
        "property_aliases": dict(sorted(component.property_aliases.items())),
        "hooks": {
            "source": component.hooks_source,
            "always": [hook.name for hook in component.hooks if not hook.conditional],
            "conditional": {
                hook.name: {"depends_on": list(hook.depends_on), "by_default": hook.by_default}
                for hook in component.hooks
                if hook.conditional
            },
        },
    }


def _decode_component(name: str, data: Json) -> Component:
    return Component(
        name=name,
        module=data["module"],
        bases=tuple(data["bases"]),
        keywords=tuple(
            Keyword(keyword, default, unused=keyword in data["unused_keywords"])
            for keyword, default in data["keywords"].items()
        ),
        swallows_unknown=data["swallows_unknown"],
        is_list_item=data["is_list_item"],
        hook_aliases={
            alias: (target,) if isinstance(target, str) else tuple(target)
            for alias, target in data["hook_aliases"].items()
        },
        aliases_vary=data["aliases_vary"],
        property_aliases=data["property_aliases"],
        hooks=tuple(sorted(_decode_hooks(data["hooks"]), key=lambda hook: hook.name)),
        hooks_source=data["hooks"]["source"],
    )


def _decode_hooks(data: Mapping[str, Any]) -> list[Hook]:
    conditional = [
        Hook(name, True, tuple(entry["depends_on"]), entry["by_default"])
        for name, entry in data["conditional"].items()
    ]
    return [*(Hook(name) for name in data["always"]), *conditional]
