"""The codes of problems that only a spec or a shape can have: its parts do not fit together."""

from __future__ import annotations

from adaptergen.problems.code import Code

FILES = {
    "module-not-file": Code(
        "The file is not called like its module",
        "The name of a spec's file is the name of its module, so that one leads to the other.",
        "`specs/nemotron_h.yaml` has `module: nemotron_h`.",
    ),
    "file-newer": Code(
        "The file was written for a newer adaptergen",
        "Its format is one that this adaptergen does not know.",
        "`pip install --upgrade adaptergen`",
    ),
    "module-twice": Code(
        "Two specs are for one module",
        "Both would be written to the same folder, so only one could stay.",
        "Rename one of the two modules, or build each with an `--out` of its own.",
    ),
}

LAYERS = {
    "kinds-untold": Code(
        "Kinds of layer cannot be told apart",
        "`kinds` says what each kind of layer has, and `kind` where the kind of a layer is told. "
        "Each needs the other.",
        "`kind: {attribute: block_type, listed_in: layers_block_type}`",
    ),
    "kind-twice": Code(
        "Two kinds of layer have one name",
        "A name, or a former one, stands for one kind only.",
        "Delete the name from `formerly` of the kind that never had it.",
    ),
    "unknown-kind": Code(
        "This is not a kind of layer",
        "The tiny model has a layer of a kind that `blocks.kinds` does not have.",
        "`kinds: [linear_attention]`, not `kinds: [mamba]`.",
    ),
    "kind-untested": Code(
        "A kind of layer is in no test",
        "The tiny model has a layer of every kind, or else nothing would run the code for it.",
        "Add the kind to `tiny.kinds`, and a layer to `tiny.config`.",
    ),
    "slot-taken": Code(
        "A slot is taken",
        "The slot of a kind is already the name of a submodule that every layer has.",
        "`slot: mlp`, if `mixer` stands in `blocks.submodules`.",
    ),
    "blocks-twice": Code(
        "The layers stand among the components",
        "Layers are described by `blocks`, next to `components` and not in it.",
        "Delete `components.blocks`.",
    ),
}

CONTRACTS = {
    "undescribed-hook": Code(
        "A hook is not described",
        "A hook that can fire has its dimensions and says what its tensor is.",
        "`hook_out: {shape: [batch, pos, d_model], tensor: output of the mixer}`",
    ),
    "alias-nowhere": Code(
        "The component offers a name that leads nowhere",
        "The class of the component gives names to hooks of submodules, and the shape has no such "
        "submodule: another class is meant, or the name has to be taken off.",
        "`component: SSM2MixerBridge` for Mamba-2, not `component: SSMMixerBridge`",
    ),
    "contract-absent": Code(
        "A hook that is taken off is described",
        "A hook whose contract is `absent` is not on the component, so it holds no tensor.",
        "Delete `shape` and `tensor` of the hook.",
    ),
    "contract-switch": Code(
        "A contract and its switch do not fit",
        "A hook that fires on request names the attribute that makes it fire; no other hook does.",
        "`contract: {is: on_request, switch: eager_scan, reason: HF computes it inside the scan}`",
    ),
    "contract-releases": Code(
        "This contract cannot depend on the release",
        "One adapter serves all releases of transformers: it takes a hook off in all or in none, "
        "and so it is with a switch.",
        "`is: silent` with `transformers: <5.17`, not `is: absent`.",
    ),
    "bad-releases": Code(
        "This is not a range of releases",
        "Bounds joined by commas, each one of `<`, `<=`, `>`, `>=` and a version.",
        "`transformers: <5.17`, or `>=5.13,<5.17` in quotes.",
    ),
}

SPEC_CODES: dict[str, Code] = {**FILES, **LAYERS, **CONTRACTS}
