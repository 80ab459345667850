"""The facts one TransformerLens version offers a generator, as frozen objects.

Three rules keep them honest. Every fact comes from reading source text, except
``Hook.by_default`` where ``hooks_source`` says ``observed``. Defaults and types are
source text, never values, so that nothing here needs TransformerLens to be understood.
What reading could not tell is listed in ``Catalogue.gaps`` and never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

HooksSource = Literal["syntax", "observed"]
SiteKind = Literal["list", "set", "dict", "imports"]


@dataclass(frozen=True)
class Keyword:
    """One keyword a constructor accepts, its own or one it passes up."""

    name: str
    default: str | None = None
    """Source text of the default; None means the keyword is required."""
    unused: bool = False
    """Accepted and never read: setting it changes nothing."""

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
    """What the condition reads: a keyword, ``config.<field>`` or ``submodules.<key>``.

    The keyword may be an ancestor's, which this class then sets by itself.
    """
    by_default: bool | None = True
    """Present when only required arguments are given; None when nobody has looked."""


@dataclass(frozen=True)
class Component:
    """A bridge class an adapter may put into its component mapping."""

    name: str
    module: str
    """The module an adapter imports the class from."""
    bases: tuple[str, ...]
    keywords: tuple[Keyword, ...]
    """In the order of the signature, inherited ones last."""
    swallows_unknown: bool = False
    """Takes any further keyword and drops it without a word."""
    is_list_item: bool = False
    hook_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    aliases_vary: bool = False
    """Instances may carry other aliases than the class (arguments or binding decide)."""
    property_aliases: Mapping[str, str] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()
    hooks_source: HooksSource = "syntax"

    def keyword(self, name: str) -> Keyword | None:
        """The accepted keyword of that name."""
        return next((keyword for keyword in self.keywords if keyword.name == name), None)

    @property
    def accepts_config(self) -> bool:
        """Whether the component takes the bridge configuration."""
        return self.keyword("config") is not None


@dataclass(frozen=True)
class ConfigField:
    """A declared field of the bridge configuration."""

    name: str
    type: str | None = None
    """Source text of the annotation; None where there is none."""
    default: str | None = None
    """Source text of the default; None means the field must be given."""
    read: bool = True
    """Whether anything that a bridge runs names it: where not, setting it changes nothing."""


@dataclass(frozen=True)
class RegistrationSite:
    """A place in TransformerLens that an architecture must be entered at."""

    file: str
    """Relative to a checkout: ``transformer_lens/...``."""
    container: str
    """The variable's name; for ``imports`` the package the classes come from."""
    kind: SiteKind
    entries: tuple[str, ...] = ()
    """What is registered there, sorted: keys, items or imported classes."""


@dataclass(frozen=True)
class Catalogue:
    """Everything known of one TransformerLens version."""

    tl_version: str
    components: Mapping[str, Component]
    sites: tuple[RegistrationSite, ...] = ()
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Architecture (``config.architectures[0]``) to adapter class."""
    passthrough: tuple[str, ...] = ()
    """Hugging Face config attributes that reach the bridge configuration unasked."""
    config_fields: Mapping[str, ConfigField] = field(default_factory=dict)
    adapter_attributes: Mapping[str, str] = field(default_factory=dict)
    """Class-level attribute of ``ArchitectureAdapter`` to source text of its default."""
    bridge_aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other names of hooks outside the layers, and the hooks: the first that a model has counts."""
    abilities: tuple[str, ...] = ()
    """What its core can do that other releases cannot; see `abilities`."""
    gaps: tuple[str, ...] = ()
    """What was looked for and not found, or found and not understood."""

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether one component class is, or derives from, another class."""
        component = self.components.get(name)
        if name == ancestor or component is None:
            return name == ancestor
        return any(self.is_a(base, ancestor) for base in component.bases)
