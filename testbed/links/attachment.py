"""How Mininet gets interfaces that a link backend has made already."""

from __future__ import annotations

from mininet.link import Intf
from mininet.link import Link as MininetLink


class ReadyMadeLink(MininetLink):  # type: ignore[misc]
    """A Mininet link whose two interfaces exist, with their final names, in our namespace."""

    def __init__(self, *nodes: object, **params: object) -> None:
        # fast=False moves the host's interface into its namespace; plain Intf shapes nothing.
        super().__init__(*nodes, **{**params, "intf": Intf, "fast": False})

    @classmethod
    def makeIntfPair(cls, *_names: object, **_params: object) -> None:  # noqa: N802 (Mininet's name)
        """There is nothing left to make."""
