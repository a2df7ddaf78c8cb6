"""The face towards Ryu (or os-ken): its events, handed to the service as plain values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from controller import openflow, runtime
from controller.service import Service

_ofp_event = runtime.module("controller.ofp_event")
_handler = runtime.module("controller.handler")
_CONFIG, _MAIN, _DEAD = (
    _handler.CONFIG_DISPATCHER,
    _handler.MAIN_DISPATCHER,
    _handler.DEAD_DISPATCHER,
)
_OPENFLOW_1_3 = runtime.module("ofproto.ofproto_v1_3").OFP_VERSION

_Method = TypeVar("_Method", bound=Callable[..., None])


def _on(message: str, *states: str) -> Callable[[_Method], _Method]:
    """Mark the handler of a message in these states of a connection."""
    event = getattr(_ofp_event, f"EventOFP{message}")
    decorate: Callable[[_Method], _Method] = _handler.set_ev_cls(event, list(states))
    return decorate


class Application(runtime.app_class()):  # type: ignore[misc]
    """Translates; decides nothing. Handlers must not wait: they share one queue of events."""

    OFP_VERSIONS = (_OPENFLOW_1_3,)

    def __init__(self, *args: object, service: Service, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._service = service
        self._ports: dict[Any, dict[int, str]] = {}
        """By connection: why each port number is down, if it is."""

    @_on("PortDescStatsReply", _CONFIG)
    def _on_ports(self, event: Any) -> None:
        datapath = event.msg.datapath
        ports = self._ports.setdefault(datapath, {})
        for port in event.msg.body:
            ports[port.port_no] = openflow.why_down(datapath, port)

    @_on("StateChange", _MAIN, _DEAD)
    def _on_state(self, event: Any) -> None:
        datapath = event.datapath
        switch = self._switch(datapath)
        ports = self._ports.pop(datapath, {})
        if event.state == _DEAD:
            if switch is not None:
                self._service.disconnected(switch, datapath)
        elif switch is None:
            self.logger.warning("datapath %s is not in the topology", datapath.id)
            datapath.close()
        else:
            self._service.connected(switch, datapath, ports)

    @_on("PortStatus", _MAIN)
    def _on_port_status(self, event: Any) -> None:
        message = event.msg
        datapath = message.datapath
        if switch := self._switch(datapath):
            gone = message.reason == datapath.ofproto.OFPPR_DELETE
            why_down = "gone" if gone else openflow.why_down(datapath, message.desc)
            self._service.port_status(switch, message.desc.port_no, why_down)

    @_on("PacketIn", _MAIN)
    def _on_packet_in(self, event: Any) -> None:
        message = event.msg
        if switch := self._switch(message.datapath):
            self._service.packet_in(
                switch, message.datapath, message.match["in_port"], message.data
            )

    @_on("BarrierReply", _MAIN)
    def _on_barrier(self, event: Any) -> None:
        self._service.switches.confirmed(event.msg.datapath, event.msg.xid)

    @_on("ErrorMsg", _MAIN)
    def _on_error(self, event: Any) -> None:
        message = event.msg
        error = openflow.error_text(message.datapath, message)
        self._service.switches.refused(message.datapath, message.xid, error)

    @_on("PortStatsReply", _MAIN)
    def _on_port_stats(self, event: Any) -> None:
        switch = self._switch(event.msg.datapath)
        stats = self._whole(event.msg)
        if switch is not None and stats is not None:
            self._service.telemetry.port_stats(switch, stats)

    @_on("GroupDescStatsReply", _MAIN)
    def _on_groups(self, event: Any) -> None:
        self._whole(event.msg)

    @_on("MeterConfigStatsReply", _MAIN)
    def _on_meters(self, event: Any) -> None:
        self._whole(event.msg)

    @_on("MeterFeaturesStatsReply", _MAIN)
    def _on_meter_features(self, event: Any) -> None:
        if switch := self._switch(event.msg.datapath):
            for features in event.msg.body:
                self._service.meter_features(switch, features.max_meter)

    @_on("FlowStatsReply", _MAIN)
    def _on_flow_stats(self, event: Any) -> None:
        switch = self._switch(event.msg.datapath)
        stats = self._whole(event.msg)
        if switch is not None and stats is not None:
            self._service.telemetry.flow_stats(switch, stats)

    @_on("GroupStatsReply", _MAIN)
    def _on_group_stats(self, event: Any) -> None:
        switch = self._switch(event.msg.datapath)
        stats = self._whole(event.msg)
        if switch is not None and stats is not None:
            self._service.telemetry.group_stats(switch, stats)

    @_on("MeterStatsReply", _MAIN)
    def _on_meter_stats(self, event: Any) -> None:
        switch = self._switch(event.msg.datapath)
        stats = self._whole(event.msg)
        if switch is not None and stats is not None:
            self._service.telemetry.meter_stats(switch, stats)

    @_on("EchoReply", _MAIN)
    def _on_echo(self, event: Any) -> None:
        if switch := self._switch(event.msg.datapath):
            self._service.telemetry.echo(switch, bytes(event.msg.data or b""))

    def _switch(self, datapath: Any) -> str | None:
        return self._service.switch_of(datapath.id)

    def _whole(self, message: Any) -> list[Any] | None:
        more = bool(message.flags & message.datapath.ofproto.OFPMPF_REPLY_MORE)
        return self._service.switches.replied(message.datapath, message.xid, message.body, more)
