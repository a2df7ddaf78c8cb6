"""Boots the guest once for all tests of this folder, beside the unit tests if these come before."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest
from user_mode_linux import Guest, missing

from generators.builtin_history import builtin_history
from playbooks.models import prepare_models
from playbooks.schema import load_playbook

HERE = Path(__file__).parent
TESTS = HERE.parent
TIMEOUT_S = 1200


class Guesthouse:
    """Has one guest do everything in `in-guest`, which leaves it in a folder."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="twinbed-guest-"))
        self._guest: Guest | None = None

    def open(self) -> Guest:
        """The guest, booted unless that has been done."""
        if self._guest is None:
            _train(self._folder)
            self._guest = Guest([str(HERE / "in-guest"), str(self._folder)], self._folder)
        return self._guest

    def folder(self) -> Path:
        """Where everything is, once the guest is off.

        Raises:
            GuestError: it died, or is not done in time.
        """
        self.open().wait(TIMEOUT_S)
        return self._folder

    def close(self) -> None:
        """End the guest, if it is still there."""
        if self._guest is not None:
            self._guest.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


GUESTHOUSE = pytest.StashKey[Guesthouse]()


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    guesthouse = session.stash[GUESTHOUSE] = Guesthouse()
    try:
        to_run = () if session.config.option.collectonly else session.items
        if may_boot_now(item.path for item in to_run) and not missing():
            guesthouse.open()
        return (yield)
    finally:
        guesthouse.close()


def may_boot_now(paths: Iterable[Path]) -> bool:
    """Whether nothing that a guest would disturb is to run before the tests of this folder."""
    for path in paths:
        if path.is_relative_to(HERE):
            return True
        if not path.is_relative_to(TESTS / "unit"):
            return False
    return False


@pytest.fixture(scope="session")
def guest(request: pytest.FixtureRequest) -> Path:
    """The folder with everything that `in-guest` has left."""
    if reason := missing():
        pytest.skip(reason)
    return request.session.stash[GUESTHOUSE].folder()


def _train(folder: Path) -> None:
    """Fill the cache, which the guest reads: its one processor would take minutes."""
    topology = load_playbook(HERE / "network-failure.yaml").network()
    prepare_models(topology, builtin_history(topology, seed=0), folder, lambda *_: None)
