"""For the few tests that look where compiled code does not let anybody look."""

from __future__ import annotations

import pytest

from broker import _about

__all__ = ["interpreted_only"]

#: A test that replaces, derives from or gives wrong types to what is compiled. It runs in the other form.
interpreted_only = pytest.mark.skipif(_about.form() != "pure", reason="replaces parts of what is compiled here")
