"""The password challenge."""

from __future__ import annotations

from broker._cred.challenge import challenge, respond, respond_to_digest
from broker._cred.portal import _Challenger

CHALLENGE = bytes(range(16))
RESPONSE = bytes.fromhex("65c7a9deb230d5ce6b9eaf8eadfc4674")


def test_the_vector() -> None:
    assert respond(CHALLENGE, b"sekrit") == RESPONSE


def test_a_digest_is_as_good_as_the_password() -> None:
    from hashlib import md5

    assert respond_to_digest(CHALLENGE, md5(b"sekrit").digest()) == RESPONSE


def test_a_challenge_is_new_each_time() -> None:
    challenges = {challenge() for _ in range(50)}
    assert len(challenges) == 50 and {len(one) for one in challenges} == {16}


def test_only_the_right_answer_passes() -> None:
    challenger = _Challenger(None, None, b"ann", CHALLENGE)  # type: ignore[arg-type]
    for response, passes in [(RESPONSE, True), (RESPONSE[:-1], False), (b"", False), (None, False), ("x", False)]:
        challenger.response = response
        assert challenger.checkPassword(b"sekrit") is passes
    challenger.response = RESPONSE
    assert not challenger.checkPassword(b"Sekrit")
