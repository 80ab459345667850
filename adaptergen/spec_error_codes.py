"""Error codes of what a spec or a shape says: its file, its YAML, its values, how its parts fit.

To add a code, add an entry: a title and what it means, then an example of the fix. The code is
kebab-case words, and is never renamed once released.
"""

from __future__ import annotations

from adaptergen.error_codes import Code

SPEC_CODES = {
    # Files.
    "no-such-file": Code(
        "The file does not exist. No file has this name, or a folder on the way to it is missing.",
        "Check the path: `adaptergen build specs/nemotron_h.yaml`.",
    ),
    "not-a-file": Code(
        "This is not a file. Only regular files are read: no folder, pipe, socket or device.",
        "Name the file inside the folder: `specs/nemotron_h.yaml`, not `specs`.",
    ),
    "unreadable-file": Code(
        "The file cannot be read. The operating system refused to open or to read it.",
        "`chmod u+r specs/nemotron_h.yaml`",
    ),
    "link-out": Code(
        "A link leads out of the project. A spec, a shape or a lock is read only from the project "
        "that it is in: the folder around `specs`, or else that of the spec. A link elsewhere "
        "could show lines of your own files.",
        "Put the file itself in the place of the link.",
    ),
    "file-too-large": Code(
        "The file is larger than 1 MiB. A spec is a page or two; a larger file is something else.",
        "Check that this is the spec, and not weights or a log.",
    ),
    "not-utf8": Code(
        "The file is not UTF-8. Some bytes are not text in UTF-8; the first of them is shown.",
        "`iconv -f latin1 -t utf-8 old.yaml > new.yaml`",
    ),
    "hidden-character": Code(
        "A control, bidi or invisible character. Such characters make a file look different from "
        "what it says, so they are refused everywhere, in comments and escapes too.",
        "Delete the character named in the message and type the text again.",
    ),
    "module-not-file": Code(
        "The file is not called like its module. A spec's file has the name of its module.",
        "`specs/nemotron_h.yaml` has `module: nemotron_h`.",
    ),
    "file-newer": Code(
        "The file was written for a newer adaptergen. This adaptergen does not know its format.",
        "`pip install --upgrade adaptergen`",
    ),
    "module-twice": Code(
        "Two specs are for one module. Both would be written to the same folder.",
        "Rename one of the two modules, or build each with an `--out` of its own.",
    ),
    # YAML.
    "yaml-syntax": Code(
        "The file is not YAML. The YAML parser cannot read on from this place.",
        "Close the bracket or quote, or line up the indentation with spaces.",
    ),
    "empty-file": Code(
        "The file is empty. There is nothing in the file, or nothing but comments.",
        "Start the spec with `spec: 1`.",
    ),
    "yaml-documents": Code(
        "More than one YAML document. A `---` after the first key starts another document.",
        "Remove the line `---`, or move what follows it to a file of its own.",
    ),
    "yaml-directive": Code(
        "A YAML directive. Files are read as YAML 1.2, without `%YAML` and `%TAG` lines.",
        "Remove the line that starts with `%`.",
    ),
    "yaml-reuse": Code(
        "An anchor, an alias or a merge key. What several blocks share is a shape instead.",
        "Move the shared part to `specs/shapes/`, and name that shape.",
    ),
    "yaml-tag": Code(
        "An explicit YAML tag. The type of a value follows from how it is written.",
        "`heads: 8`, not `heads: !!int '8'`.",
    ),
    "too-deep": Code(
        "Nested more than 64 levels deep. No spec needs this.",
        "Flatten the structure.",
    ),
    "duplicate-key": Code(
        "A key stands twice in one mapping. YAML does not say which of the two counts.",
        "Remove or rename the second one.",
    ),
    "key-not-text": Code(
        "A key is not text. It reads as a number, true, false or nothing, or is a collection.",
        '`"1": first`, not `1: first`.',
    ),
    "number-too-large": Code(
        "A number is too large. A whole number must fit into 64 bits.",
        "Shorten the number, or put it in quotes if it is text.",
    ),
    # Values.
    "missing-key": Code(
        "A required key is missing. The mapping lacks one or more keys that have no default.",
        "Add the keys that the message names.",
    ),
    "unknown-key": Code(
        "A key is not known here. Often it is a slip of the pen.",
        "`submodules:`, not `submodule:`.",
    ),
    "wrong-type": Code(
        "A value of the wrong type. Nothing is converted: `'8'` is no number, `true` is not 1.",
        "`heads: 8`, not `heads: '8'`.",
    ),
    "unknown-choice": Code(
        "A value is not one of the choices. The key takes one of a fixed set of words.",
        "`kind: full_attention`, not `kind: full-attention`.",
    ),
    "bad-value": Code(
        "A value is out of bounds. It is too small, too long, or of the wrong form.",
        "`heads: 1`, not `heads: 0`.",
    ),
    # Names and texts.
    "bad-identifier": Code(
        "This is not an identifier. Use ASCII letters, digits and `_`, and no digit first.",
        "`gate_proj`, not `gate-proj`.",
    ),
    "reserved-name": Code(
        "Python reserves this name. Keywords and names like `__init__` would break the code.",
        "`class_`, not `class`.",
    ),
    "name-too-long": Code(
        "A name is too long. A name has at most 80 characters, a dotted path at most 200.",
        "Choose a shorter name.",
    ),
    "bad-module-name": Code(
        "This is not the name of a module. Use lower-case words joined by single `_`.",
        "`nemotron_h`, not `NemotronH`.",
    ),
    "bad-class-name": Code(
        "This is not the name of a class. CapWords: it starts with a capital and has no `_`.",
        "`NemotronHForCausalLM`, not `nemotron_h`.",
    ),
    "bad-path": Code(
        "This is not a dotted path. Use identifiers joined by single dots, without an index.",
        "`model.layers`, not `model/layers` and not `model.layers[0]`.",
    ),
    "bad-hub-id": Code(
        "This is not the id of a model on the Hub. Use an owner, a slash and a name.",
        "`nvidia/Nemotron-H-8B-Base-8K`",
    ),
    "bad-version": Code(
        "This is not a version. Three numbers with dots between them, without leading zeros.",
        "`4.3.0`, not `v4.3`.",
    ),
    "bad-tap": Code(
        "A tap does not say what it is on. A tap is on a function, a function of torch, or the "
        "operation that receives a weight.",
        "`hook_pattern: {torch: softmax}`",
    ),
    "bad-text": Code(
        'This text cannot stand in docstrings, comments and Markdown. Refused: `"`, the backtick, '
        "`\\`, `<`, braces, tabs, line ends, spaces at the ends, and what a formatter, checker or "
        "editor obeys, such as `isort:skip_file` and `noqa`. Other signs that mean something in "
        "Markdown or at the start of a line are shown as code. A title consists of words and "
        "numbers.",
        "`text: the router's bias`, on one line.",
    ),
    "text-too-long": Code(
        "A text is too long. A text has at most 400 characters, and a title 80.",
        "Say it in a sentence, and leave the rest to a comment.",
    ),
    # Arithmetic.
    "arithmetic-syntax": Code(
        "This is not arithmetic. Something is missing or stands in the wrong place.",
        "`hidden_size // num_heads`, not `hidden_size //`.",
    ),
    "arithmetic-operator": Code(
        "This operator is not allowed. Use names, whole numbers, `+`, `-`, `*`, `//` and `()`.",
        "`a // b`, not `a / b`; `a * a`, not `a ** 2`.",
    ),
    "arithmetic-number": Code(
        "This number is not allowed. Use decimal, whole numbers of at most 64 bits.",
        "`n * 3 // 2`, not `n * 1.5`.",
    ),
    "arithmetic-too-long": Code(
        "The expression is too long. At most 200 characters, and 16 nested parentheses.",
        "Split it into two derived values.",
    ),
    "divided-by-zero": Code(
        "A division by zero. With these values the divisor is zero.",
        "Check the value of the name on the right of `//`.",
    ),
    "unknown-name": Code(
        "A name has no value. The expression uses a name that nothing defines.",
        "`hidden_size // 2`, not `hiden_size // 2`.",
    ),
    # Kinds of layer.
    "ambiguous-kinds": Code(
        "The kind of a layer is ambiguous. `kinds` says what each kind has, and `kind` how to "
        "find the kind of a layer. Each needs the other.",
        "`kind: {attribute: block_type, listed_in: layers_block_type}`",
    ),
    "kind-twice": Code(
        "Two kinds of layer have one name. A name, or a former one, stands for one kind only.",
        "Delete the name from `formerly` of the kind that never had it.",
    ),
    "unknown-kind": Code(
        "This is not a kind of layer. `blocks.kinds` does not have it.",
        "`kinds: [linear_attention]`, not `kinds: [mamba]`.",
    ),
    "kind-untested": Code(
        "A kind of layer is in no test. The tiny model needs a layer of every kind.",
        "Add the kind to `tiny.kinds`, and a layer to `tiny.config`.",
    ),
    "slot-taken": Code(
        "A slot is taken. It is already the name of a submodule that every layer has.",
        "`slot: mlp`, if `mixer` stands in `blocks.submodules`.",
    ),
    "blocks-twice": Code(
        "The layers stand among the components. They stand in `blocks`, next to `components`.",
        "Delete `components.blocks`.",
    ),
    # Hooks and their contracts.
    "undescribed-hook": Code(
        "A hook is not described. A hook that can fire has dimensions and a tensor.",
        "`hook_out: {shape: [batch, pos, d_model], tensor: output of the mixer}`",
    ),
    "dangling-alias": Code(
        "An alias of the component leads nowhere. The class gives a name to a hook of a submodule "
        "that the shape does not have.",
        "`component: SSM2MixerBridge` for Mamba-2, not `component: SSMMixerBridge`",
    ),
    "contract-absent": Code(
        "A hook that is taken off is described. With `absent` there is no hook and no tensor.",
        "Delete `shape` and `tensor` of the hook.",
    ),
    "contract-switch": Code(
        "A contract and its switch do not fit. A hook that fires on request names the attribute "
        "that makes it fire; no other hook does.",
        "`contract: {is: on_request, switch: eager_scan, reason: HF computes it inside the scan}`",
    ),
    "contract-releases": Code(
        "This contract cannot depend on the release. One adapter serves all releases of "
        "transformers, so hooks and switches are the same in all.",
        "`is: silent` with `transformers: <5.17`, not `is: absent`.",
    ),
    "bad-releases": Code(
        "This is not a range of releases. Join bounds by commas: `<`, `<=`, `>`, `>=`, a version.",
        "`transformers: <5.17`, or `>=5.13,<5.17` in quotes.",
    ),
    # Shapes.
    "unknown-shape": Code(
        "There is no shape of this name. A shape is a file in `shapes` beside the spec, or one "
        "that comes with adaptergen.",
        "`shape: rms_norm`, if there is a file `shapes/rms_norm.yaml`.",
    ),
    "shape-cycle": Code(
        "Shapes form a circle. A shape uses itself, perhaps by way of others.",
        "Leave out the use that closes the circle.",
    ),
    "unknown-parameter": Code(
        "The shape has no such parameter. `with` takes what the shape lists in `parameters`.",
        "`with: {width: intermediate_size}`, not `with: {with: intermediate_size}`.",
    ),
    "missing-argument": Code(
        "A parameter of the shape has no value. It has no default, so the use must pass one.",
        "`{shape: ungated_mlp, path: mixer, with: {width: intermediate_size}}`",
    ),
    "submodule-twice": Code(
        "A submodule stands there twice. `add` uses a key that the shape has already.",
        "Choose another key below `add`.",
    ),
    "unknown-submodule": Code(
        "There is no such submodule. A tap is on a weight, and no submodule here has its name.",
        "`weight: gate.weight`, for the weight of the submodule `gate`.",
    ),
    # What TransformerLens offers.
    "unknown-component": Code(
        "TransformerLens has no such component. No class in the catalogue has this name.",
        "`component: SSM2MixerBridge`, not `component: Mamba2Bridge`.",
    ),
    "unknown-keyword": Code(
        "The component does not take this keyword. Its constructor never reads it.",
        "Delete the keyword, or choose the component that takes it.",
    ),
    "missing-keyword": Code(
        "The component needs a keyword. Its constructor fails without it.",
        "`config: true`, for a component that needs the config.",
    ),
    "unknown-hook": Code(
        "The component has no such hook. No hook point and no alias has this name.",
        "`hook_out: ...`, not `hook_output: ...`.",
    ),
    "unknown-flag": Code(
        "The config of TransformerLens has no such field. A flag is set on that config.",
        "`normalization_type: RMS`, not `normalisation_type: RMS`.",
    ),
    "unread-flag": Code(
        "Nothing in TransformerLens reads this field for a bridge. Only older models than bridges "
        "use it, so the adapter would be wrong without a word.",
        "`rotary_adjacent_pairs: true`, only from TransformerLens 3.6.0 on.",
    ),
    "unknown-attribute": Code(
        "Adapters of TransformerLens have no such attribute. `adapter` sets attributes of the "
        "adapter class that TransformerLens reads.",
        "`supports_fold_ln: false`, not `support_fold_ln: false`.",
    ),
    # Names that collide, and lists.
    "name-taken": Code(
        "A name is taken. The generated code, its tests or the component around it has it.",
        "`kinds: {plain_mlp: ...}`, not `kinds: {rebind: ...}`.",
    ),
    "config-name": Code(
        "A field of the config is set twice, or is none. A name is set once: as a flag, from HF, "
        "or derived. It is no method, and a derived value replaces no field of TransformerLens.",
        "`derived: {mamba_width: a * b}`, not `derived: {d_model: a * b}`.",
    ),
    "derived-without-inputs": Code(
        "Derived values without inputs. They are set together with what `from_hf` carries over.",
        "`from_hf: [num_heads]`, if `num_heads` is what they are made from.",
    ),
    "listed-twice": Code(
        "An entry stands twice in a list. The second one may be a slip for another name.",
        "Delete one of the two.",
    ),
    "tiny-config": Code(
        "The tiny model lacks what its tests need. Tests draw tokens below `vocab_size`, and "
        "count layers by `num_hidden_layers`.",
        "`config: {vocab_size: 64, num_hidden_layers: 2}`",
    ),
    # The structure of the model.
    "too-many-modules": Code(
        "The model has too many modules. Shapes that use shapes several times multiply.",
        "Leave out uses of shapes inside shapes.",
    ),
    "block-shape": Code(
        "This shape does not fit the blocks, or is that of blocks. Only the component of `blocks` "
        "is a block of TransformerLens, and its shape has hooks and aliases only: submodules of "
        "every layer stand below `blocks.submodules`.",
        "`shape: ssm_block`",
    ),
    "ambiguous-slot": Code(
        "The slot of a weight is ambiguous. Kinds of layer at one path have different slots, so "
        "the config has to list the kind of each layer.",
        "`kind: {attribute: block_type, listed_in: layers_block_type}`, and no `has_submodule`.",
    ),
    "misplaced-when": Code(
        "Something depends on the config where it cannot. Only submodules and hooks inside a "
        "layer can: not the module of a kind, the blocks, or what stands outside.",
        "Delete `when` or `unless`.",
    ),
    "conflicting-contracts": Code(
        "Hooks of one name have different contracts. Two kinds of layer share a slot, so a hook "
        "in it has one contract, or none, in both.",
        "Give one of the two kinds another slot, or both hooks the same contract.",
    ),
}
