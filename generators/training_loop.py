"""What the trainings of the GAN and the VAE share: steps, budget, progress, determinism."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

Progress = Callable[[float, str], None]
"""Called with the fraction done, 0 to 1, and what is being done."""

_log = logging.getLogger(__name__)
_REPORT_EVERY = 20
_FULL_SIZE_PAIRS = 200


@contextmanager
def seeded_and_single_threaded(seed: int) -> Iterator[None]:
    """Seed torch's global generator (it initialises modules) and use one thread; then undo both.

    One thread, so that sums are always formed in the same order.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def steps_for(pairs: int, steps: float) -> int:
    """Return how many training steps a network of `pairs` OD pairs gets.

    Each takes time in proportion to the pairs: large networks get fewer than `steps`.
    """
    return round(steps * math.sqrt(min(1.0, _FULL_SIZE_PAIRS / pairs)))


def training_steps(
    what: str, steps: int, budget_s: float, progress: Progress | None, done: int = 0
) -> Iterator[float]:
    """Yield the fraction done before each of `steps` training steps, until the budget is spent.

    `done` of them have been done before.

    The number of steps is fixed, so that the same seed gives the same weights; a machine too slow
    for the budget stops early, with a warning.
    """
    end = time.monotonic() + budget_s
    for step in range(done, steps):
        if time.monotonic() > end:
            _log.warning(
                "%s: stopped after %d of %d training steps, at the budget of %.0f s: "
                "its weights depend on the speed of this machine",
                what,
                step,
                steps,
                budget_s,
            )
            return
        if progress is not None and step % _REPORT_EVERY == 0:
            progress(step / steps, what)
        yield step / steps
    if progress is not None:
        progress(1.0, what)


def descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """Take one step down the gradient of `loss`."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
