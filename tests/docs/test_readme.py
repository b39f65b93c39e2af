"""The programs of the README, run as they stand."""

from __future__ import annotations

import re
import sys

from tests.service.processes import ROOT, run

#: What each program prints.
PRINTED = ["hello\n", "{'pears': 4}\n"]


def test_programs() -> None:
    programs = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    results = [run([sys.executable, "-c", program]) for program in programs]
    assert [(result.stdout, result.stderr, result.returncode) for result in results] == [
        (printed, "", 0) for printed in PRINTED
    ]
