"""The one way in which the controller refuses to start."""

from __future__ import annotations


class StartError(Exception):
    """The controller cannot start; the message says why, and what to do."""
