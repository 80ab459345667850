"""A decode step after a cached prompt."""

from __future__ import annotations

from adaptergen.verify.findings import Finding
from adaptergen.verify.reference import Reference
from adaptergen.verify.subject import Subject, difference


def check_decode(subject: Subject, reference: Reference) -> None:
    """A decode step after a cached prompt: HF's logits, and the hooks that are promised."""
    bridge, tokens = subject.bridge, reference.work.tokens
    state = subject.new_cache()
    bridge(tokens[:, :-1], past_key_values=state, use_cache=True)
    logits, cache = bridge.run_with_cache(tokens[:, -1:], past_key_values=state, use_cache=True)
    apart = difference(logits, reference.step_logits)
    subject.sheet.parity["decode_step"] = apart
    within = subject.allowed(reference.step_logits, decode=True)
    if not apart <= within:
        mend = "check what the cache holds after a prompt"
        what = "logits of a decode step differ from HF's"
        subject.find(Finding("decode", what, f"<= {within:g}", f"{apart:g}", mend))
    for promise in subject.promised:
        fires = promise.name in cache.cache_dict
        if fires != promise.fires_in_decode and promise.name in bridge.hook_dict:
            words = ("silent", "fires")
            what = (
                f"in a decode step the hook {promise.row.name} {'fires' if fires else 'is silent'}"
            )
            mend = "say `is: silent_in_decode` with the reason, or delete it"
            expected = words[promise.fires_in_decode]
            subject.find(promise.finding("decode", what, expected, words[fires], mend))
