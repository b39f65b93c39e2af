"""Short forms of the fuzzing: made-up bytes never do worse than end their connection."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from broker._wire.banana import encode
from tests.hostile.fuzz import COMMANDS, HEADS, NUMBERS, attack, run
from tests.hostile.scene import Scene

ROOT = Path(__file__).parents[2]

ATOMS = st.sampled_from(NUMBERS) | st.binary(max_size=8) | st.floats() | st.sampled_from([b"root", b"echo"])
FORMS = st.recursive(
    ATOMS,
    lambda inner: st.builds(lambda head, rest: [head, *rest], st.sampled_from(HEADS), st.lists(inner, max_size=4)),
    max_leaves=12,
)
MESSAGES = st.builds(
    lambda command, rest: [command, *rest], st.sampled_from(COMMANDS), st.lists(FORMS, min_size=1, max_size=6)
)
CALLS = st.builds(
    lambda args, kw: [b"message", 1, b"root", b"take", 1, [b"tuple", *args], kw],
    st.lists(FORMS, max_size=3),
    st.just([b"dictionary"]) | FORMS,
)


@settings(max_examples=150)
@given(st.lists(MESSAGES | CALLS, min_size=1, max_size=5))
def test_made_up_messages(messages: list[object]) -> None:
    with Scene(keep=False) as scene:
        attack(scene, b"".join(encode(message, vocabulary=True) for message in messages))


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_made_up_bytes(data: bytes) -> None:
    with Scene(keep=False) as scene:
        attack(scene, data)


def test_mutated_transcripts() -> None:
    assert run(2000, 7) >= 400


def test_without_assertions() -> None:
    """No defence is an assertion: the same attacks under ``python -O``, where an escape is still seen."""
    script = (
        "from tests.hostile.fuzz import cases; from tests.hostile.scene import Scene\n"
        "source = cases(3); assert False\n"
        "for _ in range(300):\n"
        "    with Scene(keep=False) as scene:\n"
        "        scene.raw(next(source))\n"
        "        if scene.wire.escaped or scene.honest.call(scene.honest.root, 'echo', 1) != 1: raise SystemExit(1)\n"
        "print('held')\n"
    )
    command = [sys.executable, "-O", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip().endswith("held"), done.stderr[-2000:]
