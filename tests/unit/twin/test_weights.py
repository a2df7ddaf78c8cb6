from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from twin.weights import save_weights

ALMOST_FULL = """
import resource, sys
from pathlib import Path
from torch import nn
from twin.weights import save_weights
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))
try:
    save_weights(nn.Linear(100, 100), Path(sys.argv[1]))
except OSError as error:
    sys.exit(error.strerror)
"""
"""Where no file can have more than a kilobyte: a process of its own, whose output is a pipe."""


def test_weights_are_read_back(tmp_path: Path) -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(one, tmp_path / "w.pt")
    other.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    assert torch.equal(one.weight, other.weight)


def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"before")
    command = [sys.executable, "-c", ALMOST_FULL, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "File too large")
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
