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
    "functional-twice": Code(
        "Two different convolutions are used in functions",
        "The adapter serves one kind of convolution whose weight HF passes to functions.",
        "Let all layers that have one use the same shape for it.",
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
}

PLAN_CODES: dict[str, Code] = {**SHAPES, **CATALOGUE}
