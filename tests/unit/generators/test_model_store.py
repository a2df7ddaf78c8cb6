"""The store of trained models."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from generators.model_store import ModelStore, Record, record_of


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path)


def record(store: ModelStore, scores: dict[str, float | None]) -> Record:
    weights = store.weights("m", 1)
    weights.write_bytes(b"weights")
    return record_of(
        weights,
        name="m",
        version=1,
        kind="gan",
        seed=1,
        scores=scores,
        without_privacy=scores,
        seconds=1.0,
    )


def test_scores_that_are_no_numbers_are_left_out(store: ModelStore) -> None:
    scores = {"jsd": 0.5, "emd": math.nan, "wape": math.inf, "nmae": None}
    store.add(record(store, scores))
    (kept,) = store.records()
    assert kept.scores == kept.without_privacy == {"jsd": 0.5}


def test_a_record_that_cannot_be_written_leaves_nothing(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = record(store, {})

    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="full"):
        store.add(one)
    assert list(store.folder.iterdir()) == [store.weights("m", 1)]
