"""What Mininet is given beside the topology's own nodes."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from testbed import network
from topologies.schema import NAME_PATTERN


def test_no_node_of_a_topology_has_the_name_of_the_controller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added: list[str] = []
    monkeypatch.setattr(network, "_Controller", lambda name, **_: name)
    lab = cast(Any, SimpleNamespace(topology=SimpleNamespace(switches=())))
    network.Network._add_switches(lab, SimpleNamespace(addController=added.append))
    (name,) = added
    assert not re.match(NAME_PATTERN, name)
