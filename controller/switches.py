"""The connected switches: sends batches of changes and waits for their barriers, on eventlet."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import eventlet
from eventlet.queue import Empty, LightQueue

from controller import openflow, openflow_replies
from controller.flow_entries import FlowEntry
from controller.flow_table import Change
from controller.groups import Group, GroupChange
from controller.meters import Meter, MeterChange

_ANSWER_TIMEOUT_S = 2.0
_LOST = "was lost"

_Batch = tuple[list[Change], list[GroupChange]]

_logger = logging.getLogger(__name__)


class _Refused(str):
    """Why a batch failed that the switch has understood, and will not carry out."""

    __slots__ = ()


@dataclass
class _Waiting:
    """Somebody waits for the answer of one switch to one xid."""

    switch: str
    answers: LightQueue
    error: str | None = None


class OpenFlowSwitches:
    """Switches by name. A switch that does not answer in time is disconnected: it reconnects,
    and is then given all that it should hold."""

    def __init__(self) -> None:
        self._datapaths: dict[str, Any] = {}
        self._waiting: dict[tuple[Any, int], _Waiting] = {}
        self._parts: defaultdict[tuple[Any, int], list[Any]] = defaultdict(list)

    @property
    def connected(self) -> AbstractSet[str]:
        """Names of the switches that can be programmed now."""
        return self._datapaths.keys()

    def add(self, switch: str, datapath: Any) -> None:
        """A switch has connected; nothing is answered any more over the connection it had."""
        if (before := self._datapaths.get(switch)) is not None:
            self._abandon(before)
        self._datapaths[switch] = datapath

    def forget(self, switch: str, datapath: Any) -> bool:
        """A connection has ended; return whether it was the current one of `switch`."""
        self._abandon(datapath)
        if not self._is_current(switch, datapath):
            return False
        del self._datapaths[switch]
        return True

    def _is_current(self, switch: str, datapath: Any) -> bool:
        return self._datapaths.get(switch) is datapath

    def _abandon(self, datapath: Any) -> None:
        for key in [key for key in self._waiting if key[0] is datapath]:
            waiting = self._waiting.pop(key)
            waiting.answers.put((waiting.switch, _LOST))
        for key in [key for key in self._parts if key[0] is datapath]:
            del self._parts[key]

    def commit(
        self,
        changes: Sequence[Change],
        groups: Sequence[GroupChange] = (),
        meters: Sequence[MeterChange] = (),
        atomic: bool = False,
    ) -> Mapping[str, str]:
        """Send all changes at once and wait until each switch confirms; why those fail that do.

        `atomic`: a switch makes all of its changes at one instant, if it knows how; but meters
        come first, since bundles take none.
        """
        batches: defaultdict[str, _Batch] = defaultdict(lambda: ([], []))
        metered: defaultdict[str, list[MeterChange]] = defaultdict(list)
        for change in changes:
            batches[change.entry.switch][0].append(change)
        for group_change in groups:
            batches[group_change.group.switch][1].append(group_change)
        for meter_change in meters:
            metered[meter_change.meter.switch].append(meter_change)
        failed = dict.fromkeys(metered.keys() - self.connected, "is not connected")
        failed |= self._send(
            {s: ms for s, ms in metered.items() if s in self.connected}, openflow.meter_batch
        )
        # Others may have been lost while the meters were waited for.
        able = {switch: batch for switch, batch in batches.items() if switch in self.connected}
        failed |= dict.fromkeys(batches.keys() - able.keys(), "is not connected")
        errors = self._send(able, openflow.bundle if atomic else openflow.batch)
        if atomic:
            refused = [switch for switch, error in errors.items() if isinstance(error, _Refused)]
            again = {switch: able[switch] for switch in refused if switch in self.connected}
            errors = {s: error for s, error in errors.items() if s not in again}
            errors |= self._send(again, openflow.batch)
        return failed | errors

    def _send(
        self, batches: Mapping[str, Sequence[Any]], messages: Callable[..., tuple[int, bytes]]
    ) -> dict[str, str]:
        answers = LightQueue()
        # Sending may wait, and connections may end or be replaced meanwhile.
        asked = {switch: self._datapaths[switch] for switch in batches}
        for switch, datapath in asked.items():
            if not self._is_current(switch, datapath):
                answers.put((switch, _LOST))
                continue
            xid, data = messages(datapath, *batches[switch])
            self._waiting[datapath, xid] = _Waiting(switch, answers)
            datapath.send(data)
            # It is only queued: this lets it go out, so that the switch works at it while the
            # next batch is made.
            eventlet.sleep(0)
        return {switch: error for switch, error in self._collect(asked, answers) if error}

    def installed(self, switches: Iterable[str]) -> Mapping[str, tuple[FlowEntry, ...]]:
        """The entries of ours that `switches` hold; those that do not answer are absent."""
        answers = self._enquire(switches, openflow.own_entries_request)
        return {
            switch: tuple(openflow_replies.entry_of(switch, stat) for stat in stats)
            for switch, stats in answers.items()
        }

    def installed_groups(self, switches: Iterable[str]) -> Mapping[str, tuple[Group, ...]]:
        """The groups that each of `switches` holds; those that do not answer are absent."""
        answers = self._enquire(switches, openflow.groups_request)
        return {
            switch: tuple(openflow_replies.group_of(switch, stat) for stat in stats)
            for switch, stats in answers.items()
        }

    def installed_meters(self, switches: Iterable[str]) -> Mapping[str, tuple[Meter, ...]]:
        """The meters that each of `switches` holds; those that do not answer are absent."""
        answers = self._enquire(switches, openflow.meters_request)
        return {
            switch: tuple(openflow_replies.meter_of(switch, stat) for stat in stats)
            for switch, stats in answers.items()
        }

    def _enquire(
        self, switches: Iterable[str], request: Callable[[Any], Any]
    ) -> Mapping[str, list[Any]]:
        """The whole reply of every switch that is connected and answers."""
        answers = LightQueue()
        asked = {switch: self._datapaths[switch] for switch in switches if switch in self.connected}
        for switch, datapath in asked.items():
            if not self._is_current(switch, datapath):
                answers.put((switch, _LOST))
                continue
            message = request(datapath)
            self._waiting[datapath, datapath.set_xid(message)] = _Waiting(switch, answers)
            datapath.send_msg(message)
        return {
            switch: answer
            for switch, answer in self._collect(asked, answers)
            if isinstance(answer, list)
        }

    def awaited(self, switch: str) -> int:
        """How many answers of `switch` somebody waits for."""
        return sum(waiting.switch == switch for waiting in self._waiting.values())

    def ask(self, switch: str, request: Callable[[Any], Any]) -> None:
        """Send a request whose reply nobody waits for."""
        if datapath := self._datapaths.get(switch):
            datapath.send_msg(request(datapath))

    def confirmed(self, datapath: Any, xid: int) -> None:
        """A barrier reply has arrived."""
        if waiting := self._waiting.pop((datapath, xid), None):
            waiting.answers.put((waiting.switch, waiting.error))

    def refused(self, datapath: Any, xid: int, error: str) -> None:
        """An error message has arrived; its batch's barrier reply follows."""
        if waiting := self._waiting.get((datapath, xid)):
            waiting.error = _Refused(f"refused an entry ({error})")
        _logger.warning("datapath %s answers %s", datapath.id, error)

    def replied(self, datapath: Any, xid: int, part: Sequence[Any], more: bool) -> list[Any] | None:
        """A part of a statistics reply has arrived: the whole when nobody waits for it."""
        parts = self._parts[datapath, xid]
        parts.extend(part)
        if more:
            return None
        del self._parts[datapath, xid]
        if waiting := self._waiting.pop((datapath, xid), None):
            waiting.answers.put((waiting.switch, parts))
            return None
        return parts

    def _collect(self, asked: Mapping[str, Any], answers: LightQueue) -> Iterable[tuple[str, Any]]:
        deadline_s = time.monotonic() + _ANSWER_TIMEOUT_S
        silent = dict(asked)
        while silent:
            try:
                switch, answer = answers.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except Empty:
                break
            del silent[switch]
            yield switch, answer
        for switch, datapath in silent.items():
            _logger.warning("disconnecting %s: no answer for %g s", switch, _ANSWER_TIMEOUT_S)
            datapath.close()
            yield switch, "did not answer"
        if silent:
            eventlet.sleep(0)  # their end is news, which comes before whatever is sent next
