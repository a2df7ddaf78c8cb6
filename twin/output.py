"""What a step of the twin leads to."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.messages import FromClient
from twin.records import TwinRecord


@dataclass
class Output:
    """Records for the journal, requests for the controller; both in order."""

    records: list[TwinRecord] = field(default_factory=list)
    requests: list[FromClient] = field(default_factory=list)


class RequestIds:
    """Names for requests, unique in the run directory even if the twin is started again."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, now_s: float) -> str:
        """Return a new one."""
        self._count += 1
        return f"{round(now_s * 1e3)}-{self._count}"
