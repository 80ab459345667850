"""What an error code is, and the codes of everything but specs: locks, models, checkouts, packages.

`spec_error_codes.py` has those of specs and shapes, and says how to add one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A kind of problem: its title, what it means, and an example of the edit that fixes it."""

    title: str
    meaning: str
    fix: str


#: Locks that cannot be trusted, and locks that a spec disagrees with.
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

#: What keeps a model of transformers from being observed.
INSPECT_CODES = {
    "hf-class": Code(
        "transformers has no such model class",
        "The installed release has no model class of this name, or what it has is no model. A "
        "config class stands for its model for causal language modelling, if it has one.",
        "`adaptergen inspect NemotronHForCausalLM`",
    ),
    "hf-import": Code(
        "The model class cannot be imported",
        "A package that it needs is missing, or does not fit the installed torch.",
        "Install what the message names.",
    ),
    "hf-config": Code(
        "The config class raises",
        "No config can be made of the defaults, or of the fields of the config.json.",
        "Name a folder with the config.json of a checkpoint that this release can load.",
    ),
    "hf-forward": Code(
        "No tiny model runs",
        "Every tiny config that the rules give is refused, or the forward raises. The message "
        "tells the first reason.",
        "Name a folder with a config.json, whose values take the place of the defaults.",
    ),
    "hf-time": Code(
        "The model takes too long",
        "A forward, or all that is observed together, took longer than the limit; the process "
        "that ran it was ended.",
        "`adaptergen inspect SomeForCausalLM --time-limit 600`",
    ),
    "hf-crash": Code(
        "The model ended the process that observed it",
        "Code of transformers, of torch or of a kernel crashed or exited.",
        "Run it again with `ADAPTERGEN_TRACEBACK=1` to see what it says.",
    ),
    "hf-folder": Code(
        "This is not the folder of a checkpoint",
        "There is no config.json, it is no regular file, it is larger than 1 MiB, it is not a "
        "JSON object, or it names no architecture. Weights are not needed.",
        "Name a folder with a config.json that has `architectures`.",
    ),
    "remote-code": Code(
        "The model is code that was not run",
        "The class is not one of transformers, so that code of the folder would have to be run, "
        "or that of another repository, which never is. Or `auto_map` says only in part where "
        "the code is.",
        "Read that code, and add `--trust-remote-code` if you trust it. Code of another "
        "repository has to be put into the folder first.",
    ),
}

#: A checkout of TransformerLens, and the edits of its files.
CHECKOUT_CODES = {
    "unreadable-source": Code(
        "The file to edit cannot be read",
        "A file of the checkout is not UTF-8, or not what its name says: Python or JSON.",
        "`git checkout -- transformer_lens/factories/architecture_adapter_factory.py`",
    ),
    "mixed-line-ends": Code(
        "Lines of the file end differently",
        "Some end as on Windows and some do not, so an edit could not keep every other byte and "
        "fit its surroundings.",
        "`git add --renormalize FILE`",
    ),
    "conflict-markers": Code(
        "A merge was left unfinished",
        "The file holds the markers of a conflict; what it says is not settled.",
        "Settle the conflict, then `git add` the file.",
    ),
    "container-missing": Code(
        "The registry is not where it should be",
        "The list, set, dict, import or table that an entry goes into is not in the file, or it "
        "is not written out, so nothing can be inserted with certainty.",
        "Update adaptergen, or the checkout; `adaptergen catalog --tl PATH` says what it finds.",
    ),
    "container-twice": Code(
        "The registry is there more than once",
        "Which of them counts cannot be told by reading.",
        "Leave one of the places that are named.",
    ),
    "entry-differs": Code(
        "The registry says something else",
        "The entry is there with another value. What people wrote is not overwritten.",
        "Make the spec say the same, or change the entry by hand first.",
    ),
    "entry-twice": Code(
        "The entry is there more than once",
        "An entry stands in a registry twice, so it is not clear which one counts.",
        "`adaptergen audit PATH --fix` removes what is there twice.",
    ),
    "not-transformer-lens": Code(
        "This is not a checkout of TransformerLens",
        "The path does not hold the package, its registries and its tests.",
        "`git clone https://github.com/TransformerLensOrg/TransformerLens`",
    ),
    "dirty-tree": Code(
        "The checkout holds changes",
        "Files were changed and not committed, or marked so that git does not tell. What the "
        "command writes would be mixed with them.",
        "`git stash`, or commit them.",
    ),
    "detached-head": Code(
        "No branch is checked out",
        "A commit on a detached head belongs to no branch and is easily lost.",
        "`git switch dev`",
    ),
    "protected-branch": Code(
        "The branch is one of upstream's own",
        "TransformerLens takes no contribution from a branch called `main` or `dev`: the name "
        "collides with its own.",
        "`--branch add-helium`",
    ),
    "branch-exists": Code(
        "There is a branch of this name already",
        "It holds other work, or an older state of this.",
        "Name another with `--branch`, or `git switch` to it and leave `--branch` out.",
    ),
    "git-failed": Code(
        "git did not do what it was asked",
        "The message is git's own.",
        "Mend what git says, then run the same command again.",
    ),
    "adapter-exists": Code(
        "TransformerLens has an adapter for this architecture",
        "Writing the files would replace it: its hooks, its aliases and its tests would go.",
        "`--replace`, and read the report of what is removed.",
    ),
    "shared-taken": Code(
        "TransformerLens has a file of its own where adapters share one",
        "Adapters import a few components, and their tests a package of checks, that an export "
        "brings along. By that name lies another file, which is not overwritten.",
        "Update adaptergen, or `adaptergen export SPEC --plugin DIR`.",
    ),
    "adapter-in-use": Code(
        "Other code uses what is removed with the old adapter",
        "A file that stays imports a class or a function that the new module does not have, so "
        "it would no longer import.",
        "Move what is shared to a module of its own, in a change of its own.",
    ),
}

#: What `audit` finds in the registries of a TransformerLens.
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

#: A package to be made, and the folder for it.
PLUGIN_CODES = {
    "plugin-name": Code(
        "The folder's name is no name for a package",
        "The folder gives its name to the distribution, and with `_` for `-` and `.` to the "
        "Python package. The name is not one that can be installed, or something else has that "
        "name: a module of Python, a well-known package, or one that is installed here.",
        "`--plugin tl-helium`",
    ),
    "plugin-folder": Code(
        "The folder holds something else",
        "A package is written to a new folder, an empty one, or one that was written before. "
        "This one holds files of which adaptergen knows nothing.",
        "Name a folder that does not exist yet.",
    ),
    "plugin-clash": Code(
        "Two specs of one package have the same name for something",
        "In a package each architecture, module and adapter class stands for one spec.",
        "Export one of the two, or each to a folder of its own.",
    ),
}

TOOL_CODES = {
    **LOCK_CODES, **UPDATE_CODES, **INSPECT_CODES, **CHECKOUT_CODES, **AUDIT_CODES, **PLUGIN_CODES,
}  # fmt: skip
