"""Runs every benchmark, each in a process of its own: ``python -m benchmarks [--quick] [--check] [--json FILE]``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HELPERS = ("__main__", "report")

scripts = sorted(path for path in Path(__file__).parent.glob("*.py") if path.stem not in HELPERS)
sys.exit(max(subprocess.call([sys.executable, str(script), *sys.argv[1:]]) for script in scripts))
