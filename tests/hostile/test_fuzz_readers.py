"""The readers of both dialects under a short run of mutated messages; see `tests.hostile.fuzz_readers`."""

from __future__ import annotations

import pytest

from broker.errors import InsecureJelly, LimitExceeded
from tests.hostile.fuzz_readers import DIALECTS, Swizzler, fuzz


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_but_the_documented_errors_escapes(name: str) -> None:
    assert fuzz(name, 20_000, 7) >= 0


@pytest.mark.parametrize("head", ["list", "tuple", "dictionary", "reference", "frozenset"])
def test_a_text_for_a_head_in_a_reference(head: str) -> None:
    """What a fuzzer found: a container in a reference, its head spelled as a text."""
    swizzler = Swizzler()
    for form in ([b"reference", 1, [head]], [b"list", [b"reference", 1, [head, [b"dereference", 1]]]]):
        try:
            swizzler.unjelly(form)
        except (InsecureJelly, LimitExceeded):
            continue
