"""The history of traffic that the models learn from: one structure, a reader for each format."""

from generators.history.reading import load_history, read_history
from generators.history.structure import MIN_STEPS, History, HistoryError, pair_mask

__all__ = ["MIN_STEPS", "History", "HistoryError", "load_history", "pair_mask", "read_history"]
