"""The password challenge of PB: the password itself never crosses, only a digest of it with a random challenge.

The digest is MD5, which the wire fixes. It keeps a listener from reading the password and from using the response
again; it protects nothing else, and short passwords can be guessed from it. Use TLS where that matters.
"""

from __future__ import annotations

from hashlib import md5
from secrets import token_bytes

__all__ = ["challenge", "respond", "respond_to_digest"]


def challenge() -> bytes:
    """Return 16 random bytes."""
    return token_bytes(16)


def respond(challenge: bytes, password: bytes) -> bytes:
    """Return the 16 bytes that answer a challenge.

    :param password: the password in the clear.
    """
    return respond_to_digest(challenge, md5(password).digest())


def respond_to_digest(challenge: bytes, digest: bytes) -> bytes:
    """Return the 16 bytes that answer a challenge, from the MD5 digest of the password."""
    return md5(digest + challenge).digest()
