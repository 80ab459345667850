"""From what a user names, a class, a spec, a folder or an id on the Hub, to a model class.

Reading a target imports neither torch nor transformers unless the folder's architecture has to be
looked up, or a config.json downloaded.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.facts import Facts
from adaptergen.inspection.config_fields import sub_configs
from adaptergen.inspection.fault_isolation import Job, failed, guarded, limited, reason
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote

#: How transformers writes numbers that JSON does not have, as in `{"__float__": "Infinity"}`.
_TAG = "__float__"
_TAGGED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}

#: What `auto_map` calls the class that is wanted, and how it says that it is somewhere else.
_AUTO, _ELSEWHERE = "AutoModelForCausalLM", "--"

#: In a name, what comes after the family: all classes of causal models end alike.
_AFTER_FAMILY = re.compile(r"(?<=.)(For|LMHead|With|Model|Config).*")
#: The most classes that a hint names.
_SHOWN = 4

_FIX_IMPORT = "install what the message names, or versions of torch and transformers that fit"
_FIX_NAME = "name a class such as `LlamaForCausalLM`, a spec, or a folder with a config.json"

#: An id on the Hub: an owner and a name.
_HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+(?<!\.json)")

#: Failures that values of a config.json may be the reason of, and those that its words may be.
_OF_VALUES, _OF_WORDS = frozenset({"hf-config", "hf-forward"}), frozenset({"hf-class"})


@dataclass(frozen=True)
class Target:
    """The name of a model class, and the fields of a config.json to start from."""

    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    remote: tuple[str, str] | None = None
    """A folder or id, and what its `auto_map` says of a class, where code of it is to be run."""
    file: Path | None = None
    """The config.json that the fields are from."""
    or_config: bool = False
    """Whether a config class may be named, which stands for its causal model."""


def inspect_target(text: str, branches: bool, trust_remote_code: bool, seconds: float) -> Facts:
    """The facts of a target, observed in a process with a time limit.

    Raises `Failed`, and `ModuleNotFoundError` where torch or transformers are missing.
    """
    target = read_target(text, trust_remote_code)
    # Imported before the fork, so that what is missing is reported as such.
    from adaptergen.inspection.observe import observe_class

    # As text: the folder's own classes are not known here.
    found = in_process(
        target, lambda cls: observe_class(cls, target.config, branches).to_json(), seconds
    )
    return Facts.model_validate_json(found)


def in_process(target: Target, function: Callable[[Any], str], seconds: float) -> str:
    """What the function says of the class of a target, in a process with a time limit.

    Raises `Failed`; one that values of a config.json are the reason of is located in the file.
    """

    def answer() -> str:
        import torch
        import transformers

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        model_class = None
        try:
            model_class = load_class(target)
            return function(model_class)
        except Failed as error:
            raise Failed(_located(p, target, model_class) for p in error.problems) from error

    return limited(Job(quote(target.architecture), answer), seconds)


def read_target(text: str, trust_remote_code: bool = False) -> Target:
    """What is named. Raises `Failed`."""
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        from adaptergen.source.read import read_source
        from adaptergen.source.validate import validate
        from adaptergen.spec.architecture import Spec

        return Target(validate(read_source(path, path.as_posix()), Spec).architecture)
    if _HUB_ID.fullmatch(text) and not path.exists():
        return _of_folder(_downloaded(text), trust_remote_code, text)
    if path.exists() or "/" in text or text.endswith(".json"):
        return _of_folder(path, trust_remote_code)
    return Target(text, or_config=True)


def load_class(target: Target) -> Any:
    """The class of a target. Raises `Failed`: there is none, or it cannot be imported."""
    import transformers

    if target.remote:
        return _remote_class(*target.remote)
    name = target.architecture
    try:
        found = guarded("hf-import", f"{quote(name)} cannot be imported", _FIX_IMPORT,
                        lambda: getattr(transformers, name))  # fmt: skip
    except Failed as error:
        if isinstance(error.__cause__, AttributeError):
            raise _unknown(name) from error
        raise
    # A class whose packages are missing is a stand-in that says so when it is used.
    config = guarded("hf-import", f"{quote(name)} cannot be used", _FIX_IMPORT,
                     lambda: getattr(found, "config_class", None))  # fmt: skip
    if config is not None:
        return found
    if isinstance(found, type) and issubclass(found, transformers.PreTrainedConfig):
        return _of_config(found, target)
    raise _unknown(name)


def without_logits(model_class: Any) -> Failed:
    """The failure of a class whose models give no logits."""
    message = f"{quote(model_class.__name__)} has no output embeddings, so it gives no logits"
    return failed("hf-class", message, _models_hint(model_class.config_class) or _FIX_NAME)


def read_config(path: Path) -> Any:
    """A config.json as transformers reads it: an object unless the file is wrong.

    Only a regular file of moderate size is read: a pipe may never end, nor a device. Raises
    `OSError` or `ValueError`.
    """
    text = guard.read(path).decode("utf-8")
    try:
        return json.loads(text, object_hook=_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(found: dict[str, Any]) -> Any:
    if found.keys() == {_TAG} and isinstance(found[_TAG], str):
        return _TAGGED.get(found[_TAG], found)
    return found


def _located(problem: Problem, target: Target, model_class: Any) -> Problem:
    """The problem at the config.json that it comes from, with what works instead."""
    file = target.file
    if file is None or problem.code not in _OF_VALUES | _OF_WORDS:
        return problem
    hint = problem.hint
    if problem.code in _OF_VALUES:
        from adaptergen.inspection.tiny_model import field_at_fault

        hint = "" if _gives_logits(model_class.__name__) else _models_hint(model_class.config_class)
        if not hint and (found := field_at_fault(model_class, target.config, problem.message)):
            field, default = found
            hint = f"change {quote(field)} in {quote(file.name)}; the default{default} works"
        other = (
            f"check the values in {quote(file.name)}, or observe another release of transformers"
        )
        hint = hint or other
    return replace(problem, hint=hint, location=SourceLocation(file.as_posix()))


def _downloaded(name: str) -> Path:
    """The config.json of an id on the Hub. Raises `Failed`."""
    import huggingface_hub
    from transformers.utils import cached_file

    # What it says of each attempt is said once, in the problem.
    huggingface_hub.logging.set_verbosity(logging.CRITICAL)
    try:
        return Path(str(cached_file(name, "config.json")))
    except Exception as error:  # packages of the network raise errors of their own
        message = f"{quote(name)} is no folder here, and no config.json of it came from the Hub"
        hint = "check the id and the network, and log in (`hf auth login`) if the model is gated; "
        hint += "or put its config.json into a folder, and name that"
        raise failed("hf-folder", f"{message}: {reason(error)}", hint) from error


def _of_folder(path: Path, trust_remote_code: bool, hub: str = "") -> Target:
    file = path / "config.json" if path.is_dir() else path
    fields = _fields(file)
    listed = fields.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""
    auto_map = fields.get("auto_map")
    mapped = auto_map if isinstance(auto_map, dict) else {}
    value = mapped.get(_AUTO)
    # On the Hub, code of the same repository may be called by its full name.
    reference = value.removeprefix(f"{hub}{_ELSEWHERE}") if isinstance(value, str) else ""
    if trust_remote_code and reference:
        if _ELSEWHERE in reference:
            raise _elsewhere(file, name, reference)
        if not hub and not _code(file, reference).is_file():
            raise _without_code(file, name, reference)
        return Target(name or reference, fields, (hub or file.parent.as_posix(), reference), file)
    if not name:
        hint = 'add the name of the model class, as in `"architectures": ["LlamaForCausalLM"]`'
        raise _of_file("hf-folder", file, f"{quote(file.name)} names no architecture", hint)
    if mapped and not _in_transformers(name):
        raise _not_run(file, name, mapped, reference, hub)
    return Target(name, fields, file=file)


def _code(file: Path, reference: str) -> Path:
    """The file of a class that `auto_map` names, beside its config.json."""
    return file.with_name(f"{reference.rpartition('.')[0]}.py")


def _fields(file: Path) -> dict[str, Any]:
    try:
        fields = read_config(file)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        hint = "name a class of transformers, a spec, or a folder with a config.json"
        message = f"{quote(file.name)} cannot be read: {what}"
        raise _of_file("hf-folder", file, message, hint) from error
    if not isinstance(fields, dict):
        hint = "name the config.json of a checkpoint, or its folder"
        raise _of_file("hf-folder", file, f"{quote(file.name)} holds no object", hint)
    return fields


def _not_run(file: Path, name: str, mapped: dict[str, Any], reference: str, hub: str) -> Failed:
    """The class is not one of transformers, and `auto_map` says more or less where it is."""
    if not reference:
        others = listing([key for key in mapped if key != _AUTO][:3]) or "nothing"
        message = f"transformers has no class {quote(name)}, and `auto_map` names {others}"
        message += f" but no {quote(_AUTO)}"
        hint = f'if its code is in the folder, add it: `"{_AUTO}": "FILE.CLASS"`'
        return _of_file("remote-code", file, message, hint)
    if _ELSEWHERE in reference:
        return _elsewhere(file, name, reference)
    if not hub and not _code(file, reference).is_file():
        return _without_code(file, name, reference)
    message = f"{quote(name)} is code of {quote(hub) if hub else 'the folder'}"
    message += ", and nothing of it was run"
    hint = "read that code, and add --trust-remote-code if you trust it"
    return _of_file("remote-code", file, message, hint)


def _without_code(file: Path, name: str, reference: str) -> Failed:
    """The folder was copied without its code."""
    code = quote(_code(file, reference).name)
    if name and _in_transformers(name):
        message = f"{code}, which `auto_map` names, is not in the folder"
        hint = "leave out --trust-remote-code: transformers has a class of the same name"
    else:
        message = (
            f"transformers has no class {quote(name)}, and {code}, its code, is not in the folder"
        )
        near = _nearest_hint(name)
        hint = f"put {code} of the checkpoint into the folder" + (f"; or {near}" if near else "")
    return _of_file("remote-code", file, message, hint)


def _elsewhere(file: Path, name: str, reference: str) -> Failed:
    """Transformers would fetch the code, and run what is not in the folder that was read."""
    repository, _, here = reference.rpartition(_ELSEWHERE)
    message = f"{quote(reference)} is code of another repository, and nothing of it was run"
    hint = f"put the code of {quote(repository)} into the folder, and write {quote(here)} instead"
    if name and _in_transformers(name):
        hint = "leave out --trust-remote-code: transformers has a class of the same name"
    return _of_file("remote-code", file, message, hint)


def _of_file(code: str, file: Path, message: str, hint: str) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(file.as_posix()))])


def _in_transformers(name: str) -> bool:
    import transformers

    return name in dir(transformers)


def _remote_class(folder: str, reference: str) -> Any:
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    what = f"{quote(reference)} of {quote(folder)} cannot be imported"
    hint = "install what it needs, or a release of transformers that it is written for"
    return guarded(
        "hf-import", what, hint, lambda: get_class_from_dynamic_module(reference, folder)
    )


def _of_config(config_class: Any, target: Target) -> Any:
    """The causal model of a config class."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

    causal = next((known[key] for key in _model_types(config_class) if key in known), "")
    if causal and target.or_config:
        model_class = load_class(Target(causal))
        # Some types of model borrow a class that is made of the config of another.
        if model_class.config_class in (config_class, *sub_configs(config_class).values()):
            return model_class
    message = f"{quote(target.architecture)} is a config class, and has no causal model of its own"
    if not target.or_config:
        message = f"{quote(target.architecture)} is a config class, not a model class"
    raise failed("hf-class", message, _models_hint(config_class) or _FIX_NAME)


def _gives_logits(name: str) -> bool:
    """Whether a class gives logits of tokens, by its name or by the auto mapping."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

    return name in known.values() or re.search("LM$|LMHead|Generation", name) is not None


def _unknown(name: str) -> Failed:
    hint = _nearest_hint(name) or _FIX_NAME
    return failed("hf-class", f"transformers has no model class {quote(name)}", hint)


def _model_types(config_class: Any) -> list[str]:
    """The types of model that have this config."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return [key for key, name in CONFIG_MAPPING_NAMES.items() if name == config_class.__name__]


def _models_hint(config_class: Any) -> str:
    """Names model classes that belong to a config class; empty if none gives logits."""
    from transformers.models.auto import modeling_auto

    types = _model_types(config_class)
    causal = set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    tables = [v for n, v in vars(modeling_auto).items() if re.match(r"MODEL_.*MAPPING_NAMES$", n)]
    found = (table[key] for table in tables for key in types if key in table)
    names = {name for one in found for name in ((one,) if isinstance(one, str) else one)}
    # Those that give tokens come first; the bare model gives hidden states.
    order = sorted(names, key=lambda n: (n not in causal, "Generation" not in n, n))
    some = any(map(_gives_logits, order))
    return f"name a model class: {listing(order[:_SHOWN], 'or')}" if some else ""


def _nearest_hint(name: str) -> str:
    """Names the causal models whose family is written most alike; empty if none is."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    families: dict[str, list[str]] = {}
    for known in sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())):
        families.setdefault(_family(known), []).append(known)
    close = get_close_matches(_family(name[:100]), families, n=3)
    names = [one for family in close for one in families[family]]
    return f"did you mean {listing(names[:_SHOWN], 'or')}?" if names else ""


def _family(name: str) -> str:
    return (_AFTER_FAMILY.sub("", name) or name).lower()
