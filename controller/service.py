"""The controller at work: news from the switches in, messages out, one worker for all changes.

Everything but the OpenFlow library's events and its start-up is here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import eventlet
from eventlet.queue import Empty, LightQueue

from controller import northbound, openflow
from controller.arp_responder import ArpResponder
from controller.installation import UNPROTECTED
from controller.journal import remove_cut_off_line
from controller.lldp import is_lldp
from controller.messages import (
    PROTOCOL_VERSION,
    DatapathState,
    FromClient,
    Hello,
    LinkState,
    Message,
)
from controller.policies import highest_meters
from controller.router import Router
from controller.socket_address import SOCKET_NAME
from controller.switches import OpenFlowSwitches
from controller.telemetry import TICK_S, Telemetry
from topologies.addressing import address
from topologies.detours import detours
from topologies.model import DirectedLink, Topology
from topologies.paths import Weight

JOURNAL_NAME = "telemetry.jsonl"
"""File name, in the run directory, of the journal of all messages."""

_logger = logging.getLogger(__name__)


class Service:
    """One network under control.

    Args:
        topology: the network.
        weight: what shortest paths are shortest by.
        protected: whether the switches themselves lead packets round a failure.
        equal_cost: whether pairs are split over all their paths of fewest hops.
        run_dir: where the northbound socket and the journal of all messages are to be.
        fail: called with a reason when the controller cannot go on.

    Raises:
        StartError: another controller serves `run_dir`.
        OSError: the socket or the journal cannot be made.
    """

    def __init__(
        self,
        topology: Topology,
        weight: Weight,
        protected: bool,
        equal_cost: bool,
        run_dir: Path,
        fail: Callable[[str], None],
    ) -> None:
        self.switches = OpenFlowSwitches()
        self._topology = topology
        self._addressing = address(topology)
        self._fail = fail
        journal = (run_dir / JOURNAL_NAME).open("a+b", buffering=0)
        self._socket_path = run_dir.absolute() / SOCKET_NAME
        self._listener = northbound.listen(self._socket_path)
        remove_cut_off_line(journal)
        self._northbound = northbound.Northbound(
            journal,
            self._snapshot,
            self._requested,
            lambda error: fail(f"cannot write {run_dir / JOURNAL_NAME}: {error.strerror}"),
        )
        self._router = Router(
            topology,
            weight,
            self.switches,
            self._northbound.publish,
            self._defer,
            detours=detours(topology, weight) if protected else UNPROTECTED,
            equal_cost=equal_cost,
        )
        self.telemetry = Telemetry(
            topology,
            self._addressing,
            self.switches,
            self._publish,
            dead=lambda: self._router.links.dead,
        )
        self._why_down: dict[DirectedLink, str] = {}
        """By (switch, neighbour): why each port is down, as last reported; "" once it is up."""
        self._highest_meter = highest_meters(topology)
        self._arp = ArpResponder(self._addressing, self._publish, time.monotonic)
        self._wake = LightQueue(1)

    def start(self) -> None:
        """Begin to serve, to work and to poll."""
        self._northbound.record(northbound.encode(self._hello()))
        self._spawn_after(0.0, self._work)
        self._spawn_after(0.0, lambda: self._northbound.serve(self._listener))
        first_s = time.monotonic()
        stagger_s = TICK_S / len(self._topology.switches)
        for index, switch in enumerate(self._topology.switches):
            self._spawn_after(0.0, self._poller(switch.name, first_s + index * stagger_s))

    def close(self) -> None:
        """Let nobody connect any more."""
        self._socket_path.unlink(missing_ok=True)

    # --- news from the switches ---------------------------------------------------------------

    def switch_of(self, datapath_id: int) -> str | None:
        """Name of a switch of the topology."""
        return self._addressing.switch_of_datapath.get(datapath_id)

    def connected(self, switch: str, datapath: Any, why_down: Mapping[int, str]) -> None:
        """`switch` has connected, with the ports in `why_down`; those it lacks are down."""
        if switch in self.switches.connected:
            self.telemetry.lost(switch)
            self._publish(DatapathState(t_s=time.monotonic(), datapath=switch, connected=False))
        self.switches.add(switch, datapath)
        self._publish(DatapathState(t_s=time.monotonic(), datapath=switch, connected=True))
        for name, port in self._addressing.neighbour:
            if name == switch:
                self.port_status(switch, port, why_down.get(port, "gone"))
        if switch in self._highest_meter:
            self.switches.ask(switch, openflow.meter_features_request)
        self._router.switch_connected(switch)
        self._wake_up()

    def disconnected(self, switch: str, datapath: Any) -> None:
        """A connection of `switch` has ended."""
        if self.switches.forget(switch, datapath):
            self.telemetry.lost(switch)
            self._publish(DatapathState(t_s=time.monotonic(), datapath=switch, connected=False))
            self._router.switch_lost()
            self._wake_up()

    def port_status(self, switch: str, port: int, why_down: str) -> None:
        """`switch` reports the state of a port: usable, unless it says why not."""
        neighbour = self._addressing.neighbour.get((switch, port))
        if neighbour is None:
            return
        news = self._router.set_port(switch, neighbour, not why_down)
        # A port that BFD has given up may lose its carrier, too.
        if news or why_down != self._why_down.get((switch, neighbour), ""):
            self._why_down[switch, neighbour] = why_down
            self._publish(self._link_state(switch, neighbour))
        if news:
            self._wake_up()

    def packet_in(self, switch: str, datapath: Any, port: int, frame: bytes) -> None:
        """A probe has arrived, or a host has sent an ARP frame."""
        if is_lldp(frame):
            self.telemetry.probe(switch, port, frame)
            return
        asking = self._addressing.neighbour.get((switch, port))
        if asking is None or asking not in self._topology.switch_of:
            return
        if answer := self._arp.answer(asking, frame):
            datapath.send_msg(openflow.packet_out(datapath, port, answer))

    def meter_features(self, switch: str, offered: int) -> None:
        """`switch` can have so many meters, numbered from 1."""
        if offered < (highest := self._highest_meter[switch]):
            self._fail(
                f"{switch} can have meters 1 to {offered}, but policy {highest} limits what enters "
                "there, and its meter bears its number: take policies out, or use Open vSwitch's "
                "userspace datapath"
            )

    # --- northbound ---------------------------------------------------------------------------

    def _publish(self, message: Message) -> None:
        self._northbound.publish(message)

    def _requested(self, request: FromClient) -> None:
        self._router.request(request)
        self._wake_up()

    def _hello(self) -> Hello:
        return Hello(t_s=time.monotonic(), version=PROTOCOL_VERSION, topology=self._topology.name)

    def _link_state(self, switch: str, neighbour: str) -> LinkState:
        cause = self._why_down[switch, neighbour]
        return LinkState(
            t_s=time.monotonic(),
            datapath=switch,
            neighbour=neighbour,
            up=not cause,
            cause=cause,
        )

    def _snapshot(self) -> Iterable[Message]:
        now_s = time.monotonic()
        yield self._hello()
        for switch in self._topology.switches:
            connected = switch.name in self.switches.connected
            yield DatapathState(t_s=now_s, datapath=switch.name, connected=connected)
        for switch_name, neighbour in self._router.links.down_ports:
            yield self._link_state(switch_name, neighbour)
        yield from self.telemetry.snapshot()
        yield self._router.snapshot()
        if self._router.ready:
            yield self._router.ready

    # --- loops --------------------------------------------------------------------------------

    def _wake_up(self) -> None:
        if self._wake.empty():
            self._wake.put(None)

    def _work(self) -> None:
        while True:
            wait_s = self._router.work()
            try:
                self._wake.get(timeout=wait_s)
            except Empty:
                continue

    def _poller(self, switch: str, first_s: float) -> Callable[[], None]:
        """Asks one switch for its counters, always at the same phase of the period."""

        def poll() -> None:
            for number in count():
                late_s = time.monotonic() - (first_s + number * TICK_S)
                if late_s > TICK_S:
                    continue
                eventlet.sleep(max(0.0, -late_s))
                if self._router.serving:  # the first routes come first
                    self.telemetry.tick(switch, number)

        return poll

    def _defer(self, delay_s: float, call: Callable[[], None]) -> None:
        """Run what the router has put off, and let it see what came of it."""

        def call_and_wake() -> None:
            call()
            self._wake_up()

        self._spawn_after(delay_s, call_and_wake)

    def _spawn_after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Run `call` beside everything else; that it raises is the end of the controller."""

        def guarded() -> None:
            try:
                call()
            except Exception as error:
                _logger.exception("the controller cannot go on")
                self._fail(repr(error))

        eventlet.spawn_after(delay_s, guarded)
