"""What theory leaves over: a few numbers, learnt from packets, that every network shares.

- The variance of the arrivals at a queue. Packets that come off one link at its own rate never
  wait for each other behind it: what counts is how many independent streams meet. A link's
  concentration is the sum of the squared shares of its streams, 1 for a single one (the inverse of
  the effective number of streams). And senders have constant rates, so most of the variance cancels
  out over their periods (queueing.py), by the concentration of pairs.
- What the machine adds at every link: senders, switches and the link daemon share its processors,
  so it grows with the frames that they handle. It is less at a host's link than between switches.

The margins make a prediction an interval (conformal.py).
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from topologies.whole_file import written_whole
from twin.indexing import BoolArray, FloatArray
from twin.queueing import periodic

_ONE_STREAM = 0.01  # what remains of the variance where a single stream arrives
_FRAMES_PER_S = 1e4


class ResidualError(Exception):
    """A file that should hold a residual does not."""


class Residual(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The default is theory alone."""

    variance_gain: float = 1.0
    """Of the variance that the model's correction states."""
    streams_exponent: float = 0.0
    """How the variance falls as fewer streams meet."""
    lasting_share: float = 1.0
    """Of the variance, what does not cancel out over the periods of senders of constant rates."""
    hop_ms: float = 0.0
    """What the machine adds at every core link."""
    hop_ms_per_load: float = 0.0
    """The same for every 10,000 frames/s that all links together carry."""
    access_ms: float = 0.0
    """What it adds at every access link, the host's own work included."""
    hop_spread: float = 1.0
    """Standard deviation of what the machine adds, in means; the links of a path suffer at once."""
    tail: float = 1.0
    """Of the distance from mean to p95, what was measured over what theory expects."""
    delay_margin: float = 0.0
    """The measured mean delay lies within prediction * exp(+-margin), as often as was asked."""
    p95_margin: float = 0.0
    """The same for p95."""
    loss_margin: float = 0.0
    """The measured loss lies within prediction +- margin."""

    @property
    def tells_streams(self) -> bool:
        """Whether the variance depends on the streams that meet."""
        return self.streams_exponent > 0 or self.lasting_share < 1

    def variance(
        self, variance: float, load: FloatArray, streams: FloatArray, pairs: FloatArray
    ) -> FloatArray:
        """Of the arrivals at each link, of what the model's correction states for all.

        Args:
            variance: the model's.
            load: offered load over rate.
            streams: concentration of what meets at the link.
            pairs: concentration of the pairs that cross it.
        """
        meeting = np.maximum(1 - streams, 0.0) + _ONE_STREAM
        short = variance * self.variance_gain * meeting**self.streams_exponent
        lasting = self.lasting_share
        return np.asarray(short * (lasting + (1 - lasting) * periodic(load, short, pairs)))

    def machine_ms(self, frames_per_s: FloatArray, core: BoolArray) -> FloatArray:
        """(..., links) what is added at each when all together carry so much (..., 1).

        `core` (links,) are those between switches.
        """
        between = self.hop_ms + self.hop_ms_per_load * frames_per_s / _FRAMES_PER_S
        return np.where(core, between, self.access_ms)

    @property
    def has_margins(self) -> bool:
        """Whether intervals say anything: theory alone has none, nor do too few samples."""
        return 0 < self.delay_margin < np.inf

    def delay_interval_ms(self, delay_ms: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Between which bounds the mean delays that were predicted so will be measured."""
        return _about(delay_ms, self.delay_margin)

    def p95_interval_ms(self, p95_ms: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same for p95."""
        return _about(p95_ms, self.p95_margin)

    def loss_interval(self, loss: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The same for the loss of a pair."""
        low, high = loss - self.loss_margin, loss + self.loss_margin
        return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)

    def save(self, path: Path) -> None:
        """Write to a file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self)))

    @classmethod
    def load(cls, path: Path) -> Residual:
        """Read what `save` wrote.

        Raises:
            ResidualError: the file is missing, damaged, or something else.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.DecodeError) as error:
            raise ResidualError(f"{path}: no readable calibration ({error})") from None


def _about(values: FloatArray, margin: float) -> tuple[FloatArray, FloatArray]:
    return values * np.exp(-margin), values * np.exp(margin)
