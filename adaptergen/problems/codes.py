"""Every code a problem can have: the source of `docs/` and of the check that each has a test.

To add one, add an entry; the key is kebab-case words and is never renamed once released.
"""

from __future__ import annotations

from adaptergen.problems.audit_codes import AUDIT_CODES
from adaptergen.problems.checkout_codes import CHECKOUT_CODES
from adaptergen.problems.code import Code
from adaptergen.problems.inspect_codes import INSPECT_CODES
from adaptergen.problems.lock_codes import LOCK_CODES, UPDATE_CODES
from adaptergen.problems.plan_codes import PLAN_CODES
from adaptergen.problems.plugin_codes import PLUGIN_CODES
from adaptergen.problems.spec_codes import SPEC_CODES

_FILES = {
    "no-such-file": Code(
        "The file does not exist",
        "No file has this name, or a folder on the way to it is missing.",
        "Check the path: `adaptergen build specs/nemotron_h.yaml`.",
    ),
    "not-a-file": Code(
        "This is not a file",
        "The path names a folder, a pipe, a socket or a device. Only regular files are read.",
        "Name the file inside the folder: `specs/nemotron_h.yaml`, not `specs`.",
    ),
    "unreadable-file": Code(
        "The file cannot be read",
        "The operating system refused to open or to read the file.",
        "`chmod u+r specs/nemotron_h.yaml`",
    ),
    "link-out": Code(
        "A link leads out of the project",
        "A spec, a shape or a lock is read only from the project that it is in: the folder around "
        "`specs`, or else that of the spec. Where a link leads elsewhere, whoever made it chose a "
        "file of yours, and lines of it would be shown.",
        "Put the file itself in the place of the link.",
    ),
    "file-too-large": Code(
        "The file is larger than 1 MiB",
        "A spec is a page or two; a larger file is something else.",
        "Check that this is the spec, and not weights or a log.",
    ),
    "not-utf8": Code(
        "The file is not UTF-8",
        "Some bytes are not text in UTF-8; the first of them is shown.",
        "`iconv -f latin1 -t utf-8 old.yaml > new.yaml`",
    ),
    "hidden-character": Code(
        "A control, bidi or invisible character",
        "Such characters make a file look different from what it says, so they are refused in "
        "values, comments and escapes alike.",
        "Delete the character named in the message and type the text again.",
    ),
}

_YAML = {
    "yaml-syntax": Code(
        "The file is not YAML",
        "The YAML parser cannot read on from this place.",
        "Close the bracket or quote, or line up the indentation with spaces.",
    ),
    "empty-file": Code(
        "The file is empty",
        "There is nothing in the file, or nothing but comments.",
        "Start the spec with `spec: 1`.",
    ),
    "yaml-documents": Code(
        "More than one YAML document",
        "A file holds one spec. A line `---` after the first key starts another document.",
        "Remove the line `---`, or move what follows it to a file of its own.",
    ),
    "yaml-directive": Code(
        "A YAML directive",
        "Files are read as YAML 1.2, without `%YAML` and `%TAG` lines.",
        "Remove the line that starts with `%`.",
    ),
    "yaml-reuse": Code(
        "An anchor, an alias or a merge key",
        "`&name`, `*name` and `<<` are refused. What several blocks share is a shape, which has a "
        "name of its own.",
        "Move the shared part to `specs/shapes/`, and name that shape.",
    ),
    "yaml-tag": Code(
        "An explicit YAML tag",
        "`!name` and `!!name` are refused; the type of a value follows from how it is written.",
        "`heads: 8`, not `heads: !!int '8'`.",
    ),
    "too-deep": Code(
        "Nested more than 64 levels deep",
        "No spec needs this; it is refused before it can do harm.",
        "Flatten the structure.",
    ),
    "duplicate-key": Code(
        "A key stands twice in one mapping",
        "Only one of the two could count, and YAML does not say which.",
        "Remove or rename the second one.",
    ),
    "key-not-text": Code(
        "A key is not text",
        "A key that reads as a number, as true or false, as nothing, or is a list or a mapping.",
        '`"1": first`, not `1: first`.',
    ),
    "number-too-large": Code(
        "A number is too large",
        "A whole number must fit into 64 bits.",
        "Shorten the number, or put it in quotes if it is text.",
    ),
}

_VALUES = {
    "missing-key": Code(
        "A required key is missing",
        "The mapping lacks one or more keys that have no default.",
        "Add the keys that the message names.",
    ),
    "unknown-key": Code(
        "A key is not known here",
        "The mapping has a key that does not belong there; often a slip of the pen.",
        "`submodules:`, not `submodule:`.",
    ),
    "wrong-type": Code(
        "A value of the wrong type",
        "Text where a number belongs, a list where a mapping belongs, and so on. Nothing is "
        "converted silently: `'8'` is not a number and `true` is not 1.",
        "`heads: 8`, not `heads: '8'`.",
    ),
    "unknown-choice": Code(
        "A value is not one of the choices",
        "The key takes one of a fixed set of words.",
        "`kind: full_attention`, not `kind: full-attention`.",
    ),
    "bad-value": Code(
        "A value is out of bounds",
        "The type is right and the value is not: too small, too long, or of the wrong form.",
        "`heads: 1`, not `heads: 0`.",
    ),
}

_NAMES = {
    "bad-identifier": Code(
        "This is not an identifier",
        "A name is made of ASCII letters, digits and `_`, and does not start with a digit.",
        "`gate_proj`, not `gate-proj`.",
    ),
    "reserved-name": Code(
        "Python keeps this name for itself",
        "Keywords, soft keywords and names like `__init__` would break the generated code.",
        "`class_`, not `class`.",
    ),
    "name-too-long": Code(
        "A name is too long",
        "A name has at most 80 characters, a dotted path at most 200.",
        "Choose a shorter name.",
    ),
    "bad-module-name": Code(
        "This is not the name of a module",
        "Lower-case words joined by single `_`, starting with a letter.",
        "`nemotron_h`, not `NemotronH`.",
    ),
    "bad-class-name": Code(
        "This is not the name of a class",
        "CapWords: it starts with a capital and has no `_`.",
        "`NemotronHForCausalLM`, not `nemotron_h`.",
    ),
    "bad-path": Code(
        "This is not a dotted path",
        "Identifiers joined by single dots: no index, no slash, no space.",
        "`model.layers`, not `model/layers` and not `model.layers[0]`.",
    ),
    "bad-hub-id": Code(
        "This is not the id of a model on the Hub",
        "An owner and a name with one slash between them; no link, no folder.",
        "`nvidia/Nemotron-H-8B-Base-8K`",
    ),
    "bad-version": Code(
        "This is not a version",
        "Three numbers with dots between them, without leading zeros.",
        "`4.3.0`, not `v4.3`.",
    ),
    "bad-tap": Code(
        "A tap does not say what it is on",
        "A tap is on a function, a function of torch, or the operation that receives a weight.",
        "`hook_pattern: {torch: softmax}`",
    ),
    "bad-text": Code(
        "This text cannot stand in docstrings, comments and Markdown",
        'Refused: `"`, the backtick, `\\`, `<`, braces, tabs and line ends, and spaces at the '
        "ends. Apostrophes are fine. So is what means something at the start of a line or in "
        "Markdown: it is shown as code. What a formatter, checker or editor obeys wherever it "
        "stands, such as `isort:skip_file` and `noqa`, cannot be written. A title consists of "
        "words and numbers.",
        "`text: the router's bias`, on one line.",
    ),
    "text-too-long": Code(
        "A text is too long",
        "A text has at most 400 characters, and a title 80.",
        "Say it in a sentence, and leave the rest to a comment.",
    ),
}

_ARITHMETIC = {
    "arithmetic-syntax": Code(
        "This is not arithmetic",
        "Something is missing or stands in the wrong place.",
        "`hidden_size // num_heads`, not `hidden_size //`.",
    ),
    "arithmetic-operator": Code(
        "This operator is not allowed",
        "Allowed are names, whole numbers, `+`, `-`, `*`, `//` and parentheses; nothing else.",
        "`a // b`, not `a / b`; `a * a`, not `a ** 2`.",
    ),
    "arithmetic-number": Code(
        "This number is not allowed",
        "Numbers are decimal, whole, not negative, without leading zeros, and fit into 64 bits.",
        "`n * 3 // 2`, not `n * 1.5`.",
    ),
    "arithmetic-too-long": Code(
        "The expression is too long",
        "It has more than 200 characters, or more than 16 parentheses inside each other.",
        "Split it into two derived values.",
    ),
    "divided-by-zero": Code(
        "A division by zero",
        "With these values the divisor is zero.",
        "Check the value of the name on the right of `//`.",
    ),
    "unknown-name": Code(
        "A name has no value",
        "The expression uses a name that nothing defines.",
        "`hidden_size // 2`, not `hiden_size // 2`.",
    ),
}

#: code -> what it means.
CODES: dict[str, Code] = {
    **_FILES,
    **_YAML,
    **_VALUES,
    **_NAMES,
    **_ARITHMETIC,
    **SPEC_CODES,
    **PLAN_CODES,
    **LOCK_CODES,
    **UPDATE_CODES,
    **INSPECT_CODES,
    **CHECKOUT_CODES,
    **AUDIT_CODES,
    **PLUGIN_CODES,
}
