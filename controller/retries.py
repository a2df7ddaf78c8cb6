"""Which switches are given once more what they have not confirmed.

Once in a row each: what is not confirmed again is told as an error, and left until the switch
connects anew.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

_logger = logging.getLogger(__name__)


class Retries:
    """Counts, for every connected switch, how often in a row it has lacked something."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def due(self, lacking: Mapping[str, str]) -> list[str]:
        """Those of the connected switches that are `lacking` something, and why, to try again."""
        self._seen = Counter({switch: self._seen[switch] + 1 for switch in lacking})
        for switch, why in lacking.items():
            if self._seen[switch] == 1:
                _logger.warning("%s %s: it is given once more what it lacks", switch, why)
            elif self._seen[switch] == 2:
                _logger.error("%s %s, again: it lacks what it should hold", switch, why)
        return [switch for switch in lacking if self._seen[switch] == 1]

    def forget(self, switch: str) -> None:
        """It has connected anew."""
        del self._seen[switch]
