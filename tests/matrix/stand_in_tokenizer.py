"""Pytest plugin: a tokenizer of our own where a test asks the Hub for `gpt2` and any would do."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish() -> None:
    import transformers
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel

    end = "<|endoftext|>"
    words = {end: 0} | {f"w{i}": i for i in range(1, 256)}
    from_hub = transformers.AutoTokenizer.from_pretrained

    def from_pretrained(*args: Any, **kwargs: Any) -> Any:
        # Upstream's tests wrap this method once more, and pass the class along.
        args = tuple(arg for arg in args if not isinstance(arg, type))
        if args[:1] != ("gpt2",):
            return from_hub(*args, **kwargs)
        model = Tokenizer(WordLevel(words, unk_token=end))
        special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), end)
        return transformers.PreTrainedTokenizerFast(tokenizer_object=model, **special)

    transformers.AutoTokenizer.from_pretrained = staticmethod(from_pretrained)
