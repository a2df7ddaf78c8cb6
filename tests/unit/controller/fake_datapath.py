"""A switch that is a list of what it was sent, with Ryu's own message classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from controller import openflow, runtime
from controller.flow_table import Change

runtime.select("ryu")
ofproto = runtime.module("ofproto.ofproto_v1_3")
parser = runtime.module("ofproto.ofproto_v1_3_parser")
ofproto_parser = runtime.module("ofproto.ofproto_parser")
ProtocolDesc = runtime.module("ofproto.ofproto_protocol").ProtocolDesc
eventlet = runtime.eventlet


@dataclass(frozen=True)
class Sent:
    """One message as it went out."""

    kind: int
    xid: int
    data: bytes


class FakeDatapath(ProtocolDesc):  # type: ignore[misc]
    """Keeps what it is sent."""

    def __init__(self, identity: int = 1) -> None:
        super().__init__(ofproto.OFP_VERSION)
        self.id = identity
        self.closed = False
        self.sent: list[Sent] = []
        self.on_send: Callable[[], object] = lambda: None
        self._xid = 0

    def set_xid(self, message: Any) -> int:
        self._xid += 1
        message.set_xid(self._xid)
        return self._xid

    def send(self, data: bytes) -> None:
        while data:
            _, kind, length, xid = ofproto_parser.header(data)
            self.sent.append(Sent(kind, xid, data[:length]))
            data = data[length:]
        self.on_send()

    def send_msg(self, message: Any) -> None:
        if message.xid is None:
            self.set_xid(message)
        message.serialize()
        self.send(bytes(message.buf))

    def close(self) -> None:
        self.closed = True


def flow_mod(datapath: FakeDatapath, sent: Sent) -> Any:
    """A message that went out, as the library reads it."""
    version, kind, length, xid = ofproto_parser.header(sent.data)
    return parser.OFPFlowMod.parser(datapath, version, kind, length, xid, bytearray(sent.data))


def sent_by(change: Change) -> Any:
    """The flow-mod that makes `change`."""
    datapath = FakeDatapath()
    _, data = openflow.batch(datapath, [change])
    datapath.send(data)
    return flow_mod(datapath, datapath.sent[0])


def described(sent: Any) -> Any:
    """What a switch replies that has taken a flow-mod."""
    return parser.OFPFlowStats(
        table_id=sent.table_id,
        priority=sent.priority,
        cookie=sent.cookie,
        match=sent.match,
        instructions=sent.instructions,
        idle_timeout=sent.idle_timeout,
        hard_timeout=sent.hard_timeout,
    )
