"""Weights of networks in files, written whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import nn

from topologies.whole_file import written_whole


def save_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of `network`.

    Raises:
        OSError: the file cannot be written.
    """
    whole = io.BytesIO()  # torch tells of a full disk in its own way
    torch.save(network.state_dict(), whole)
    with written_whole(path) as file:
        file.write(whole.getbuffer())
