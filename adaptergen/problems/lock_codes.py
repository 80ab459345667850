"""Codes of locks: those that cannot be trusted, and those that a spec disagrees with."""

from __future__ import annotations

from adaptergen.problems.code import Code

LOCK_CODES = {
    "lock-missing": Code(
        "The spec has no lock",
        "There is nothing to compare with: nobody has observed transformers for this spec yet.",
        "`adaptergen lock specs/nemotron_h.yaml`",
    ),
    "lock-newer": Code(
        "The lock was written by a newer adaptergen",
        "Its format is one that this adaptergen does not know.",
        "`pip install --upgrade adaptergen`",
    ),
    "lock-syntax": Code(
        "The lock is not whole",
        "It is no JSON, most often because a part of it is missing.",
        "`git checkout specs/nemotron_h.lock.json`",
    ),
    "lock-form": Code(
        "The file is not a lock",
        "It is JSON, and not what adaptergen writes.",
        "`git checkout specs/nemotron_h.lock.json`",
    ),
    "lock-edited": Code(
        "The lock was edited",
        "A lock holds what was observed, so it is never edited by hand: its digest does not fit.",
        "`git checkout specs/nemotron_h.lock.json`, or delete it and lock anew",
    ),
    "lock-release": Code(
        "The lock has no such release",
        "Nothing was observed with this release of transformers.",
        "`adaptergen drift specs/nemotron_h.yaml --from 5.17.0 --to 5.23.0`",
    ),
    "lock-class": Code(
        "The lock is of another class",
        "The spec names another class of transformers than the one that was observed.",
        "`rm specs/nemotron_h.lock.json`, then `adaptergen lock specs/nemotron_h.yaml`",
    ),
    "lock-field": Code(
        "The config has no such field",
        "The lock lists the fields of the HF config, and this is none of them.",
        "Name the field as transformers does in the releases that the message names.",
    ),
    "lock-value": Code(
        "A field of the config takes no such value",
        "The lock has the types of the fields that the spec names, and the tiny model sets one to "
        "a value of another type.",
        '`tie_word_embeddings: true`, not `tie_word_embeddings: "true"`',
    ),
    "lock-kind": Code(
        "A kind of layer has no name in the spec",
        "Transformers calls layers by a word that is neither a kind nor the former name of one.",
        "`formerly: [mamba]`",
    ),
    "lock-path": Code(
        "There is no such module",
        "The lock lists the modules of a layer, and none lies at this path.",
        "`path: q_proj`, as in the source of transformers",
    ),
    "lock-unmapped": Code(
        "Nothing is bound to a module",
        "Transformers runs a module with weights to which the spec binds no component. The logits "
        "would be right, and its hooks would be missing without a word.",
        "`norm: {shape: rms_norm, path: norm}`",
    ),
    "lock-cache": Code(
        "The cache is another one",
        "`cache` says that generation keeps more than the keys and values of attention, or is left "
        "out, and the opposite was observed.",
        "`cache: DynamicCache`",
    ),
    "lock-uncalled": Code(
        "A weight is used without its module",
        "The spec calls a module that transformers never calls, since a function or an operation "
        "uses its weight: hooks on it would be dead.",
        "`taps: {conv1d.hook_in: {function: [causal_conv1d_fn], argument: 0, tokens: 2}}`",
    ),
    "lock-shape": Code(
        "A hook has another shape",
        "The lock holds the shape that the hook had on the tiny model, and the spec or shape "
        "declares another.",
        "`hook_in: {shape: [batch, conv_dim, pos], tensor: input of the convolution}`",
    ),
    "lock-contract": Code(
        "A hook does not do what its contract says",
        "What was observed of the hook is not what the spec or shape declares.",
        "`contract: {is: read_only, reason: the router has chosen the experts by then}`",
    ),
}

UPDATE_CODES = {
    "update-by-hand": Code(
        "An edit has to be made by hand",
        "`adaptergen update` knows what the spec should say, and not how to edit its text so that "
        "it says this and nothing else. Nothing was written.",
        "`transformers: [5.20.2, 5.23.0]`",
    ),
}
