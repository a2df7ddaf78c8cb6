"""Boots the guest once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import user_mode_linux

from generators.builtin_history import builtin_history
from playbooks.models import prepare_models
from playbooks.schema import load_playbook

HERE = Path(__file__).parent
TIMEOUT_S = 900


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything that `in-guest` has left."""
    reason = user_mode_linux.missing()
    if reason is not None:
        pytest.skip(reason)
    results = tmp_path_factory.mktemp("guest")
    _train(results)
    user_mode_linux.run([str(HERE / "in-guest"), str(results)], results, TIMEOUT_S)
    return results


def _train(folder: Path) -> None:
    """Fill the cache, which the guest reads: its one processor would take minutes."""
    topology = load_playbook(HERE / "network-failure.yaml").network()
    prepare_models(topology, builtin_history(topology, seed=0), folder, lambda *_: None)
