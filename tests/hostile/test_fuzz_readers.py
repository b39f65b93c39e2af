"""The readers of both dialects under a short run of mutated messages; see `tests.hostile.fuzz_readers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from broker._values.native import NativeEncoder
from broker._values.unnative import NativeDecoder
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


@pytest.mark.parametrize("other", [None, "a text", b"bytes", 2.5, True])
@pytest.mark.parametrize("container", [set, dict.fromkeys])
def test_many_integers_and_something_else_as_keys(container: Callable[[list[Any]], Any], other: Any) -> None:
    """What a fuzzer found: integers among keys that do not compare with them."""
    value = container([*range(200, 500), other])
    data = NativeEncoder(10, 10_000).encode(value)
    assert NativeDecoder(10, 10_000).decode(data, 0, len(data)) == value
