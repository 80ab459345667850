"""The facts about one TransformerLens version, as frozen objects.

Every fact comes from reading source text, except `Hook.by_default` where `hooks_source` is
`observed`. Defaults and types are source text, never values. What could not be read is listed in
`Catalogue.gaps` and never guessed. These classes are also the format of the committed JSON files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from adaptergen.problems import InputError

SiteKind = Literal["list", "set", "dict", "imports"]


class CatalogueError(InputError):
    """Bad input to the catalogue."""


@dataclass(frozen=True)
class Keyword:
    """One keyword a constructor accepts, its own or one it passes up."""

    name: str
    default: str | None = None
    """Source text; None if the keyword is required."""
    unused: bool = False
    """Accepted and never read: the keyword changes nothing."""

    @property
    def required(self) -> bool:
        """Whether the constructor fails without it."""
        return self.default is None


@dataclass(frozen=True)
class Hook:
    """A hook point that belongs to the component itself, not to a submodule."""

    name: str
    conditional: bool = False
    depends_on: tuple[str, ...] = ()
    """What the condition reads: a keyword, `config.<field>` or `submodules.<key>`.

    The keyword may belong to a base class, and this class sets it.
    """
    by_default: bool | None = True
    """Present when only required arguments are given; None if that was not observed."""
    pos_dim: int | None = None
    """The axis of positions, where the component declares one."""


@dataclass(frozen=True)
class Component:
    """A bridge class an adapter may put into its component mapping."""

    name: str
    module: str
    """The module an adapter imports the class from."""
    keywords: tuple[Keyword, ...]
    """In the order of the signature, inherited ones last."""
    swallows_unknown: bool = False
    """Accepts any other keyword and ignores it."""
    is_list_item: bool = False
    hook_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()
    hooks_source: Literal["syntax", "observed"] = "syntax"

    def keyword(self, name: str) -> Keyword | None:
        """The accepted keyword of that name."""
        return next((keyword for keyword in self.keywords if keyword.name == name), None)

    def without_observations(self) -> Component:
        """The component as its source text alone describes it."""
        # Only hooks that were observed alone are conditional without a named condition.
        hooks = [hook for hook in self.hooks if not hook.conditional or hook.depends_on]
        hooks = [replace(hook, by_default=None) if hook.conditional else hook for hook in hooks]
        return replace(self, hooks=tuple(hooks), hooks_source="syntax")


@dataclass(frozen=True)
class ConfigField:
    """A declared field of the bridge configuration."""

    name: str
    type: str | None = None
    """Source text of the annotation, if any."""
    default: str | None = None
    """Source text; None if the field is required."""
    read: bool = True
    """Whether code that a bridge runs names the field; otherwise the field changes nothing."""


@dataclass(frozen=True)
class RegistrationSite:
    """A place in TransformerLens where an architecture has to be registered."""

    file: str
    """Relative to a checkout: `transformer_lens/...`."""
    container: str
    """The variable's name; for `imports` the package that the classes come from."""
    kind: SiteKind
    entries: tuple[str, ...] = ()
    """The registered keys, items or imported classes, sorted."""


@dataclass(frozen=True)
class Helper:
    """A method of the adapter's base class that makes a component, or sets config fields.

    Values are source text, or a parameter of the method in braces.
    """

    defaults: Mapping[str, str]
    """Parameters, and the source text of their defaults."""
    component: str = ""
    """Class of the component, or `self.` and the attribute of the adapter that has the class."""
    path: str = ""
    submodules: Mapping[str, str] = field(default_factory=dict)
    """Key to class and path."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Option of the component to the parameter that gives it; None leaves the option out."""
    sets: Mapping[str, str] = field(default_factory=dict)
    """Field of the config to its value."""


@dataclass(frozen=True)
class Catalogue:
    """Everything known of one TransformerLens version."""

    tl_version: str
    components: Mapping[str, Component]
    sites: tuple[RegistrationSite, ...] = ()
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Architecture (`config.architectures[0]`) to adapter class."""
    passthrough: tuple[str, ...] = ()
    """Hugging Face config attributes that TransformerLens copies to the bridge config."""
    config_fields: Mapping[str, ConfigField] = field(default_factory=dict)
    adapter_attributes: Mapping[str, str] = field(default_factory=dict)
    """Attribute that TransformerLens reads from adapters to source text of its default."""
    adapter_helpers: Mapping[str, Helper] = field(default_factory=dict)
    """Protected methods that adapters may call instead of writing the same out."""
    bridge_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other names of hooks outside the layers, and the hooks: the first that a model has counts."""
    capabilities: tuple[str, ...] = ()
    """What this version can do and others cannot; see `settings.CAPABILITIES`."""
    gaps: tuple[str, ...] = ()
    """What was looked for and not found, or found and not understood."""
