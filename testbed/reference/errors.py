"""What keeps a link from being measured."""

from __future__ import annotations


class MeasurementError(Exception):
    """Nothing can be said about the link; the message says why."""
