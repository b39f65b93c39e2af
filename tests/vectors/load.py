"""The recorded bytes as Python values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "pb-vectors.json").read_text())

GREETINGS = {bytes.fromhex("02800282706204826e6f6e65"), b"\x02\x82pb", b"\x04\x82none"}


def expression(form: Any) -> Any:
    """Return the s-expression that a form of the file stands for."""
    if isinstance(form, list):
        return [expression(item) for item in form]
    if isinstance(form, dict):
        ((kind, text),) = form.items()
        if kind == "b":
            return text.encode("ascii")
        return {"hex": bytes.fromhex, "float": float, "int": int}[kind](text)
    return form


def messages() -> list[tuple[str, bool, bytes, Any]]:
    """Return session, whether it has the vocabulary, bytes, and expression of each message behind the greeting."""
    found = []
    for session in VECTORS["sessions"]:
        for message in session["messages"]:
            data = bytes.fromhex(message["hex"])
            if data not in GREETINGS:
                found.append((session["name"], session["name"] != "dialect-none", data, expression(message["sexp"])))
    return found
