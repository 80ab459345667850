"""The codes of problems that show when shapes are filled in and held against TransformerLens."""

from __future__ import annotations

from adaptergen.problems.code import Code

SHAPES = {
    "unknown-shape": Code(
        "There is no shape of this name",
        "A shape is a file in the folder `shapes` beside the spec, or one that comes with "
        "adaptergen.",
        "`shape: rms_norm`, if there is a file `shapes/rms_norm.yaml`.",
    ),
    "shape-cycle": Code(
        "Shapes go round in a circle",
        "A shape uses itself, perhaps by way of others, so it would never end.",
        "Leave out the use that closes the circle.",
    ),
    "unknown-parameter": Code(
        "The shape has no such parameter",
        "`with` passes values for what the shape lists under `parameters`, and the shape uses "
        "only those.",
        "`with: {width: intermediate_size}`, not `with: {with: intermediate_size}`.",
    ),
    "missing-argument": Code(
        "A parameter of the shape has no value",
        "The parameter has no default, and the use of the shape passes nothing for it.",
        "`{shape: ungated_mlp, path: mixer, with: {width: intermediate_size}}`",
    ),
    "submodule-twice": Code(
        "A submodule stands there twice",
        "`add` has a submodule under a key that the shape already uses.",
        "Choose another key below `add`.",
    ),
    "unknown-submodule": Code(
        "There is no such submodule",
        "A tap is on a weight, and no submodule here has its name.",
        "`weight: gate.weight`, for the weight of the submodule `gate`.",
    ),
}

CATALOGUE = {
    "unknown-component": Code(
        "TransformerLens has no such component",
        "The catalogue of the TransformerLens version in use does not have a class of this name.",
        "`component: SSM2MixerBridge`, not `component: Mamba2Bridge`.",
    ),
    "unknown-keyword": Code(
        "The component does not take this keyword",
        "Its constructor has no such keyword, or never reads it.",
        "Delete the keyword, or choose the component that takes it.",
    ),
    "missing-keyword": Code(
        "The component needs a keyword",
        "Its constructor fails without it.",
        "`config: true`, for a component that needs the config.",
    ),
    "unknown-hook": Code(
        "The component has no such hook",
        "Neither a hook point nor an alias of the component has this name.",
        "`hook_out: ...`, not `hook_output: ...`.",
    ),
    "unknown-flag": Code(
        "The config of TransformerLens has no such field",
        "A flag is set on the config as it stands, so the config must know it.",
        "`normalization_type: RMS`, not `normalisation_type: RMS`.",
    ),
    "unread-flag": Code(
        "Nothing in TransformerLens reads this field for a bridge",
        "The config has the field, but only for models that came before bridges: an adapter that "
        "sets it would be wrong without a word.",
        "`rotary_adjacent_pairs: true`, only from TransformerLens 3.6.0 on.",
    ),
    "unknown-attribute": Code(
        "Adapters of TransformerLens have no such attribute",
        "What stands under `adapter` is set on the adapter class, so TransformerLens must ask for "
        "it.",
        "`supports_fold_ln: false`, not `support_fold_ln: false`.",
    ),
}

NAMES = {
    "name-taken": Code(
        "A name is taken",
        "The generated code, its tests, or the component around it have something else of this "
        "name already.",
        "`kinds: {plain_mlp: ...}`, not `kinds: {rebind: ...}`.",
    ),
    "config-name": Code(
        "A field of the config is set twice, or is none",
        "A name is set in one way only: as a flag, taken over from HF, or derived. It is not the "
        "name of a method, and no derived value takes the place of a field of TransformerLens.",
        "`derived: {mamba_width: a * b}`, not `derived: {d_model: a * b}`.",
    ),
    "derived-alone": Code(
        "Derived values, and nothing to derive them from",
        "Derived values are set together with what is carried over from HF, which is nothing.",
        "`from_hf: [num_heads]`, if `num_heads` is what they are made from.",
    ),
    "listed-twice": Code(
        "An entry stands twice in a list",
        "The second one adds nothing, so it may be a slip for another name.",
        "Delete one of the two.",
    ),
    "tiny-config": Code(
        "The tiny model lacks what its tests need",
        "Tests draw tokens below `vocab_size`, and count layers by `num_hidden_layers`.",
        "`config: {vocab_size: 64, num_hidden_layers: 2}`",
    ),
}

STRUCTURE = {
    "too-many-modules": Code(
        "The model has too many modules",
        "Shapes that use shapes several times multiply; no layer needs thousands.",
        "Leave out uses of shapes inside shapes.",
    ),
    "block-shape": Code(
        "This shape does not fit the blocks, or is that of blocks",
        "The component of `blocks` is a block of TransformerLens, and that of nothing else is. Its "
        "shape has hooks and aliases only: submodules of every layer stand below "
        "`blocks.submodules`.",
        "`shape: ssm_block`",
    ),
    "slots-untold": Code(
        "The slot of a weight cannot be told",
        "Kinds of layer at one path have different slots, so the name of a weight says its slot "
        "only together with the kind of its layer, which must be listed in the config.",
        "`kind: {attribute: block_type, listed_in: layers_block_type}`, and no `holds`.",
    ),
    "misplaced-when": Code(
        "Something depends on the config where it cannot",
        "Submodules and hooks inside a layer can depend on the HF config. The module of a kind "
        "itself, the blocks and what stands outside of them cannot.",
        "Delete `when` or `unless`.",
    ),
    "promises-differ": Code(
        "Hooks of one name promise different things",
        "Two kinds of layer share a slot, and a hook in it has a contract in one and another, or "
        "none, in the other.",
        "Give one of the two kinds another slot, or both hooks the same contract.",
    ),
}

PLAN_CODES: dict[str, Code] = {**SHAPES, **CATALOGUE, **NAMES, **STRUCTURE}
