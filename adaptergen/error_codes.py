"""What an error code is, and the codes of everything but specs: locks, models, checkouts, packages.

`spec_error_codes.py` has those of specs and shapes, and says how to add one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """A kind of problem; its description is a title and what it means, `fix` an example edit."""

    description: str
    fix: str

    @property
    def title(self) -> str:
        """The first sentence of the description, without its full stop."""
        return self.description.partition(". ")[0]

    @property
    def meaning(self) -> str:
        """The description after its title."""
        return self.description.partition(". ")[2]


#: Locks that cannot be trusted, and locks that a spec disagrees with.
LOCK_CODES = {
    "lock-missing": Code(
        "The spec has no lock. Nobody has observed transformers for this spec yet.",
        "`adaptergen lock specs/nemotron_h.yaml`",
    ),
    "lock-newer": Code(
        "The lock was written by a newer adaptergen. This one does not know its format.",
        "`pip install --upgrade adaptergen`",
    ),
    "lock-syntax": Code(
        "The lock is not whole. It is no JSON, most often because a part of it is missing.",
        "`git checkout specs/nemotron_h.lock.json`",
    ),
    "lock-form": Code(
        "The file is not a lock. It is JSON, and not what adaptergen writes.",
        "`git checkout specs/nemotron_h.lock.json`",
    ),
    "lock-edited": Code(
        "The lock was edited. Its digest does not fit; a lock is never edited by hand.",
        "`git checkout specs/nemotron_h.lock.json`, or delete it and lock anew",
    ),
    "lock-release": Code(
        "The lock has no such release. Nothing was observed with this release of transformers.",
        "`adaptergen drift specs/nemotron_h.yaml --from 5.17.0 --to 5.23.0`",
    ),
    "lock-class": Code(
        "The lock is of another class. The spec names another class than was observed.",
        "`rm specs/nemotron_h.lock.json`, then `adaptergen lock specs/nemotron_h.yaml`",
    ),
    "lock-field": Code(
        "The config has no such field. It is none of the fields that the lock lists.",
        "Name the field as transformers does in the releases that the message names.",
    ),
    "lock-value": Code(
        "A field of the config takes no such value. The tiny model sets it to a value of another "
        "type than the lock has.",
        '`tie_word_embeddings: true`, not `tie_word_embeddings: "true"`',
    ),
    "lock-kind": Code(
        "A kind of layer has no name in the spec. Transformers uses a word for it that is neither "
        "a kind nor the former name of one.",
        "`formerly: [mamba]`",
    ),
    "lock-path": Code(
        "There is no such module. No module of the layer in the lock has this path.",
        "`path: q_proj`, as in the source of transformers",
    ),
    "lock-unmapped": Code(
        "Nothing is bound to a module. Transformers runs a module with weights without a "
        "component: the logits would be right, and hooks would be missing without a word.",
        "`norm: {shape: rms_norm, path: norm}`",
    ),
    "lock-cache": Code(
        "The cache is another one. `cache` says whether generation keeps more than keys and "
        "values, and the opposite was observed.",
        "`cache: DynamicCache`",
    ),
    "lock-uncalled": Code(
        "A weight is used without its module. A function or an operation uses the weight and the "
        "module is never called: hooks on it would be dead.",
        "`taps: {conv1d.hook_in: {function: [causal_conv1d_fn], argument: 0, tokens: 2}}`",
    ),
    "lock-shape": Code(
        "A hook has another shape. The spec declares another shape than was observed.",
        "`hook_in: {shape: [batch, conv_dim, pos], tensor: input of the convolution}`",
    ),
    "lock-contract": Code(
        "A hook does not do what its contract says. Something else was observed.",
        "`contract: {is: read_only, reason: the router has chosen the experts by then}`",
    ),
}

UPDATE_CODES = {
    "update-by-hand": Code(
        "An edit has to be made by hand. `adaptergen update` knows what the spec should say, and "
        "not how to edit its text. Nothing was written.",
        "`transformers: [5.20.2, 5.23.0]`",
    ),
}

#: What keeps a model of transformers from being observed.
INSPECT_CODES = {
    "hf-class": Code(
        "transformers has no such model class. A config class stands for its model for causal "
        "language modelling, if it has one.",
        "`adaptergen inspect NemotronHForCausalLM`",
    ),
    "hf-import": Code(
        "The model class cannot be imported. A package is missing, or does not fit torch.",
        "Install what the message names.",
    ),
    "hf-config": Code(
        "The config class raises. Neither the defaults nor the config.json make a config.",
        "Name a folder with the config.json of a checkpoint that this release can load.",
    ),
    "hf-forward": Code(
        "No tiny model runs. Every tiny config is refused, or the forward raises. The message has "
        "the first reason.",
        "Name a folder with a config.json, whose values take the place of the defaults.",
    ),
    "hf-time": Code(
        "The model takes too long. The process that ran it was ended at the limit.",
        "`adaptergen inspect SomeForCausalLM --time-limit 600`",
    ),
    "hf-crash": Code(
        "The model ended the process that observed it. Its code crashed or exited.",
        "Run it again with `ADAPTERGEN_TRACEBACK=1` to see what it says.",
    ),
    "hf-folder": Code(
        "This is not the folder of a checkpoint. It has no regular config.json of at most 1 MiB "
        "with a JSON object that names an architecture. Weights are not needed.",
        "Name a folder with a config.json that has `architectures`.",
    ),
    "remote-code": Code(
        "The model is code that was not run. It lies in the folder, and needs your leave, or in "
        "another repository, which is never run. Or `auto_map` says only in part where it is.",
        "Read that code, and add `--trust-remote-code` if you trust it. Put code of another "
        "repository into the folder first.",
    ),
}

#: A checkout of TransformerLens, and the edits of its files.
CHECKOUT_CODES = {
    "unreadable-source": Code(
        "The file to edit cannot be read. It is not UTF-8, or not valid Python or JSON.",
        "`git checkout -- transformer_lens/factories/architecture_adapter_factory.py`",
    ),
    "mixed-line-ends": Code(
        "Lines of the file end differently. No edit could keep every other byte and fit in.",
        "`git add --renormalize FILE`",
    ),
    "conflict-markers": Code(
        "A merge was left unfinished. The file holds the markers of a conflict.",
        "Resolve the conflict, then `git add` the file.",
    ),
    "container-missing": Code(
        "The registry is not where it should be. The file does not write out the list, set, dict, "
        "import or table that an entry goes into.",
        "Update adaptergen, or the checkout; `adaptergen catalog --tl PATH` says what it finds.",
    ),
    "container-twice": Code(
        "The registry is there more than once. The text does not say which one counts.",
        "Leave one of the places that are named.",
    ),
    "entry-differs": Code(
        "The registry says something else. What people wrote is not overwritten.",
        "Make the spec say the same, or change the entry by hand first.",
    ),
    "entry-twice": Code(
        "The entry is there more than once. It is not clear which one counts.",
        "`adaptergen audit PATH --fix` removes what is there twice.",
    ),
    "not-transformer-lens": Code(
        "This is not a checkout of TransformerLens. The package, a registry or a test is missing.",
        "`git clone https://github.com/TransformerLensOrg/TransformerLens`",
    ),
    "dirty-tree": Code(
        "The checkout holds changes. What the command writes would be mixed with them.",
        "`git stash`, or commit them.",
    ),
    "detached-head": Code(
        "No branch is checked out. A commit on a detached head is easily lost.",
        "`git switch dev`",
    ),
    "protected-branch": Code(
        "The branch is one of upstream's own. TransformerLens takes no contribution from a branch "
        "called `main` or `dev`.",
        "`--branch add-helium`",
    ),
    "branch-exists": Code(
        "There is a branch of this name already. It holds other work, or an older state of this.",
        "Name another with `--branch`, or `git switch` to it and leave `--branch` out.",
    ),
    "git-failed": Code(
        "git did not do what it was asked. The message is git's own.",
        "Fix what git says, then run the same command again.",
    ),
    "adapter-exists": Code(
        "TransformerLens has an adapter for this architecture. Its hooks, aliases and tests would "
        "be replaced.",
        "`--replace`, and read the report of what is removed.",
    ),
    "shared-taken": Code(
        "TransformerLens has a file of its own where adapters share one. An export brings along "
        "components and checks, and overwrites no other file of such a name.",
        "Update adaptergen, or `adaptergen export SPEC --plugin DIR`.",
    ),
    "adapter-in-use": Code(
        "Other code uses what is removed with the old adapter. A file that stays imports what the new "
        "module does not have.",
        "Move what is shared to a module of its own, in a change of its own.",
    ),
}

#: What `audit` finds in the registries of a TransformerLens.
AUDIT_CODES = {
    "missing-entry": Code(
        "An architecture is registered in one place and not in another. The scraper, the "
        "documentation or an import misses it.",
        "`adaptergen audit PATH --fix`",
    ),
    "extra-entry": Code(
        "A registry has what the factory does not. It promises what cannot be had.",
        "Remove the entry, or register the adapter.",
    ),
    "double-entry": Code(
        "An entry is there twice. Of two equal keys of a dict only the last one counts.",
        "`adaptergen audit PATH --fix`",
    ),
    "wrong-class": Code(
        "What is registered is no adapter. The name is not imported, not defined, or no adapter.",
        "Import the class, or register the right one.",
    ),
    "never-registered": Code(
        "An adapter is registered for no architecture. No adapter derives from it either.",
        "Add it to `SUPPORTED_ARCHITECTURES`, or delete it.",
    ),
    "missing-description": Code(
        "A supported architecture has no description. The documentation makes one up.",
        "`adaptergen audit PATH --fix` takes the first sentence of the adapter's docstring.",
    ),
    "supported-in-gaps": Code(
        "A supported architecture is in the list of gaps. Readers look for work that is done.",
        "`adaptergen audit PATH --fix`",
    ),
    "unreached-attribute": Code(
        "An adapter reads an attribute that never reaches it. No field, no assignment and no "
        "entry of `_HF_PASSTHROUGH_ATTRS` has it, so the default counts.",
        "`adaptergen audit PATH --fix` adds it to `_HF_PASSTHROUGH_ATTRS`.",
    ),
}

#: A package to be made, and the folder for it.
PLUGIN_CODES = {
    "plugin-name": Code(
        "The folder's name is no name for a package. It gives the distribution its name, and with "
        "`_` for `-` and `.` the package. It is not valid, or belongs to something else: a module "
        "of Python, a well-known package, or one that is installed here.",
        "`--plugin tl-helium`",
    ),
    "plugin-folder": Code(
        "The folder holds something else. A package goes to a new or an empty folder, or to one "
        "that was written before.",
        "Name a folder that does not exist yet.",
    ),
    "plugin-clash": Code(
        "Two specs of one package share a name. Each architecture, module and class is of one.",
        "Export one of the two, or each to a folder of its own.",
    ),
}

TOOL_CODES = {
    **LOCK_CODES, **UPDATE_CODES, **INSPECT_CODES, **CHECKOUT_CODES, **AUDIT_CODES, **PLUGIN_CODES,
}  # fmt: skip
