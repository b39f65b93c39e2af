"""The door for users of `twisted.spread.pb`: exactly the names of its ``__all__``."""

from __future__ import annotations

from broker.spread.pb import *  # noqa: F403
from broker.spread.pb import __all__ as __all__
