"""Environments of their own for the public packages that benchmarks compare with.

Their requirements quarrel with ours and with each other, so each set of packages lives in a virtual
environment of the cache, made on first use from `requirements/peers/NAME.txt`. A script of
`benchmarks/peer_scripts/` runs in it and exchanges arrays with us through NPZ files.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generators.training import default_cache_dir

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE.parent / "requirements" / "peers"
_LAST_WORDS = 2000  # characters of a failed program's output
_SEEDS = 2**32
"""What NumPy's old generators, which some peers use, can be seeded with."""


class PeerError(Exception):
    """A peer cannot be had here, or it failed; the message says why."""


def run_peer(
    environment: str,
    script: str,
    folder: Path,
    arrays: Mapping[str, NDArray[np.float64]],
    seed: int,
) -> dict[str, NDArray[np.float64]]:
    """Run a script of `peer_scripts` on `arrays`; return the arrays that it answers with.

    The script is called with the paths of two NPZ files: what it reads, and what it writes.

    Args:
        environment: stem of a file of `requirements/peers`.
        script: stem of a file of `peer_scripts`.
        folder: for the files, and for whatever the peer leaves about.
        arrays: what the script reads.
        seed: of all that is random there; it is read as `seed`.

    Raises:
        PeerError: its environment cannot be made here, or the script failed.
    """
    python = _python(environment)
    asked, answered = folder / f"{script}-in.npz", folder / f"{script}-out.npz"
    np.savez(asked, allow_pickle=False, **arrays, seed=np.array(seed % _SEEDS))
    path = str(_HERE / "peer_scripts" / f"{script}.py")
    _call([str(python), "-I", path, str(asked), str(answered)], f"{script} failed", folder)
    with np.load(answered, allow_pickle=False) as answer:
        return dict(answer)


def _python(environment: str) -> Path:
    """The interpreter of an environment, which is made first where it is not there."""
    requirements = _REQUIREMENTS / f"{environment}.txt"
    # Packages whose own requirements cannot be met any more, though what we use works.
    alone = _REQUIREMENTS / f"{environment}.no-deps.txt"
    texts = requirements.read_bytes() + (alone.read_bytes() if alone.exists() else b"")
    wanted = hashlib.sha256(texts + sys.version.encode()).hexdigest()
    root = default_cache_dir() / "peers" / environment
    python, stamp = root / "bin" / "python", root / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(root, ignore_errors=True)
    venv.create(root, with_pip=True)
    pip = [str(python), "-m", "pip", "--no-input", "--disable-pip-version-check", "install"]
    # torch alone first: asked for by another package it brings gigabytes of CUDA.
    torch = [line for line in requirements.read_text().splitlines() if line.startswith("torch==")]
    unaided = ["--no-deps", "-r", str(alone)] if alone.exists() else []
    for wishes in (torch, ["-r", str(requirements)], unaided):
        if wishes:
            _call([*pip, *wishes], f"the packages of {requirements} cannot be installed", root)
    stamp.write_text(wanted)
    return python


def _call(command: list[str], failure: str, folder: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    if done.returncode:
        raise PeerError(f"{failure}: {(done.stderr or done.stdout).strip()[-_LAST_WORDS:]}")
