"""Models trained once for all tests: briefly, for what is tested is not how good they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from generators import gan_training, vae
from generators.builtin_history import builtin_history
from generators.gan import TrafficGan
from generators.history import History
from topologies.catalogue import load_topology
from topologies.model import Topology


@pytest.fixture(scope="session")
def abilene() -> Topology:
    return load_topology("topohub:sndlib/abilene")


@pytest.fixture(scope="session")
def history(abilene: Topology) -> History:
    return builtin_history(abilene, seed=1, days=2)


def _garbled(content: bytearray, member: int) -> None:
    name = member + 30
    begin = name + int.from_bytes(content[member + 26 : member + 28], "little")
    content[begin : begin + 64] = b"\xff" * 64


def _encrypted(content: bytearray, _: int) -> None:
    content[content.index(b"PK\x01\x02") + 8] |= 1


def _packed_strangely(content: bytearray, _: int) -> None:
    content[content.index(b"PK\x01\x02") + 10] = 99


@pytest.fixture(params=[_garbled, _encrypted, _packed_strangely])
def damage(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """Make the first member of a deflated zip file unreadable, in one of several ways."""

    def do(path: Path) -> None:
        content = bytearray(path.read_bytes())
        request.param(content, content.index(b"PK\x03\x04"))
        path.write_bytes(content)

    return do


@pytest.fixture(scope="session")
def quick() -> Callable[[pytest.MonkeyPatch], None]:
    """Cut the trainings down to a few steps."""

    def cut(monkeypatch: pytest.MonkeyPatch) -> None:
        for model in (gan_training, vae):
            parameters = {**model.HYPER_PARAMETERS, "steps": 8, "incident_steps": 8, "checks": 1}
            monkeypatch.setattr(model, "HYPER_PARAMETERS", parameters)

    return cut


@pytest.fixture(scope="session")
def trained_gan(history: History) -> TrafficGan:
    with pytest.MonkeyPatch.context() as patch:
        brief = {**gan_training.HYPER_PARAMETERS, "steps": 20, "checks": 1}
        patch.setattr(gan_training, "HYPER_PARAMETERS", brief)
        return gan_training.train_gan(history, seed=3, budget_s=300)


@pytest.fixture(scope="session")
def trained_vae(history: History) -> vae.TelemetryVae:
    training, _ = history.split(0.75)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vae, "HYPER_PARAMETERS", {**vae.HYPER_PARAMETERS, "steps": 300})
        return vae.train_vae(training, seed=3, budget_s=300)
