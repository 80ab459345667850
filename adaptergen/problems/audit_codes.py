"""The codes of what `audit` finds in the registries of a TransformerLens."""

from __future__ import annotations

from adaptergen.problems.code import Code

AUDIT_CODES = {
    "missing-entry": Code(
        "An architecture is registered in one place and not in another",
        "The factory knows an architecture that a registry does not have, so the scraper, the "
        "documentation or an import misses it.",
        "`adaptergen audit PATH --fix`",
    ),
    "extra-entry": Code(
        "A registry has what the factory does not",
        "It promises an architecture, or a class, that cannot be had.",
        "Remove the entry, or register the adapter.",
    ),
    "double-entry": Code(
        "An entry is there twice",
        "Of two equal keys of a dict the last one counts, and nobody is told; in a list the second "
        "is noise.",
        "`adaptergen audit PATH --fix`",
    ),
    "wrong-class": Code(
        "What is registered is no adapter",
        "The name is not imported, the module does not define it, or it is no adapter class.",
        "Import the class, or register the right one.",
    ),
    "never-registered": Code(
        "An adapter is registered for no architecture",
        "The class is there, no adapter derives from it, and the factory has no key for it.",
        "Add it to `SUPPORTED_ARCHITECTURES`, or delete it.",
    ),
    "missing-description": Code(
        "A supported architecture has no description",
        "The generated documentation then makes one up from the name.",
        "`adaptergen audit PATH --fix` takes the first sentence of the adapter's docstring.",
    ),
    "supported-in-gaps": Code(
        "The list of gaps names an architecture that is supported",
        "Whoever reads the list looks for work that is done.",
        "`adaptergen audit PATH --fix`",
    ),
    "unreached-attribute": Code(
        "An adapter reads an attribute that never reaches it",
        "It is no field of TransformerBridgeConfig, nothing sets it, and `_HF_PASSTHROUGH_ATTRS` "
        "does not name it. So the default counts, whatever the model's config says.",
        "`adaptergen audit PATH --fix` adds it to `_HF_PASSTHROUGH_ATTRS`.",
    ),
}
