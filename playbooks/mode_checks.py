"""What of a playbook a network without a controller cannot do, refused; or does not heed, told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from playbooks.event_sections import ControllerCrash, ControlOutage, Event, TwinCrash
from playbooks.plan import ProtectionMode
from playbooks.schema import Playbook
from testbed.modes import DistributedMode
from topologies.documents import DocumentError, Problem, read_document
from topologies.model import Topology

_UNFELT = ControllerCrash | ControlOutage | TwinCrash
_WHO = {"spanning-tree": "the switches", "ospf": "the routers"}


class ModeError(Exception):
    """What was asked for beside a mode does not go with it; the message says so, with the mend."""


def check_mode(
    mode: DistributedMode,
    file: Path,
    playbook: Playbook,
    topology: Topology,
    asked: ProtectionMode | None,
) -> None:
    """Refuse what needs a controller and would change what is measured.

    Args:
        mode: the way to run.
        file: of the playbook.
        playbook: with what the user has chosen in place of its own.
        topology: its network.
        asked: the protection that the user has chosen.

    Raises:
        ModeError: the user's choice.
        DocumentError: the playbook's.
    """
    if asked not in (None, "none"):
        raise ModeError(
            f"--protection {asked} needs the controller, and {mode} has none: leave it out"
        )
    if problems := list(_problems(mode, file, playbook, topology)):
        raise DocumentError(problems)


def _problems(
    mode: DistributedMode, file: Path, playbook: Playbook, topology: Topology
) -> Iterator[Problem]:
    document = read_document(file)
    if playbook.routing.protection != "none":
        message = f"{playbook.routing.protection} needs the controller, and {mode} has none"
        mend = "run it with --protection none"
        yield document.problem(("routing", "protection"), message, mend)
    if topology.policies:
        message = f"the policies of {topology.name} need the controller, and {mode} has none"
        yield document.problem(("topology", "use"), message, "use a network without policies")


def heeded(timeline: Iterable[Event]) -> list[Event]:
    """The events that a network without a controller feels."""
    return [event for event in timeline if not isinstance(event, _UNFELT)]


def notes(mode: DistributedMode, playbook: Playbook) -> Iterator[str]:
    """What the user should know of the run."""
    who = _WHO[mode]
    yield f"{mode}: {who} find the paths themselves; there is no controller and no twin"
    for event in playbook.timeline:
        if isinstance(event, _UNFELT):
            missing = "twin" if isinstance(event, TwinCrash) else "controller"
            yield f"{event.do} at {event.at_s:g} s does nothing: there is no {missing}"
    if playbook.telemetry.lost_percent:
        yield "telemetry.lost_percent does nothing: there is no twin that would miss it"
    if mode == "ospf":
        yield "the routers forward IPv4 alone: between hosts, IPv6 has no way"
