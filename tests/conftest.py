"""What every test shares: how hypothesis draws its examples."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: a shared machine may take any time for one example. In CI the examples are the same in every run, so that
# a red run can be repeated; elsewhere they are drawn anew.
settings.register_profile("broker", deadline=None, print_blob=True)
settings.register_profile("broker-ci", settings.get_profile("broker"), derandomize=True, database=None)
settings.load_profile("broker-ci" if os.environ.get("CI") else "broker")
