"""The codes of what keeps a model of transformers from being observed."""

from __future__ import annotations

from adaptergen.problems.code import Code

INSPECT_CODES: dict[str, Code] = {
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
