"""Environments of peers that do not fit the project's: made once under benchmarks/.cache, with pip."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent


def peer(name: str) -> Path:
    """Return the Python of a peer, `peers/<name>-requirements.txt` installed; make its environment where need be."""
    place = HERE.parent / ".cache" / name
    python = place / "bin" / "python"
    if not (place / "done").exists():
        venv.create(place, with_pip=True, clear=True)
        wanted = str(HERE / f"{name}-requirements.txt")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", wanted], check=True)
        (place / "done").touch()
    return python


def run_peer(name: str, script: str, *arguments: str) -> dict[str, float]:
    """Return what a script of `peers` prints as JSON in its last line, run on one thread in the peer's environment."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    command = [str(peer(name)), str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **threads})
    return dict(json.loads(done.stdout.splitlines()[-1]))
