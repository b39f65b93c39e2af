"""What the README promises: the demo works."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT


@pytest.mark.skipif(not (Path(sys.executable).parent / "broker").exists(), reason="broker is not installed here")
def test_demo() -> None:
    command = [sys.executable, "examples/demo.py"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "is listening" in result.stdout
    assert "'ducks': ['Huey', 'Dewey', 'Louie']" in result.stdout
    assert "asked to stop, and did" in result.stdout
