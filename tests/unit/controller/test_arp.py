from __future__ import annotations

from fake_network import ring
from hypothesis import given
from hypothesis import strategies as st

from controller.arp import arp_answer
from topologies.addressing import address

ADDRESSING = address(ring(3))


def packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def request(sender: str, target_ip: bytes, operation: int = 1) -> bytes:
    mac = packed(ADDRESSING.mac[sender])
    ip = bytes(map(int, ADDRESSING.ipv4[sender].split(".")))
    header = bytes.fromhex("0806 0001 0800 06 04".replace(" ", "")) + operation.to_bytes(2, "big")
    return b"\xff" * 6 + mac + header + mac + ip + bytes(6) + target_ip


def test_a_request_for_another_host_is_answered_with_its_address() -> None:
    frame = request("h0", bytes([10, 0, 0, 2])) + bytes(18)
    mac, asking = packed(ADDRESSING.mac["h1"]), packed(ADDRESSING.mac["h0"])
    assert arp_answer(ADDRESSING, "h0", frame) == (
        asking
        + mac
        + bytes.fromhex("08060001080006040002")
        + mac
        + bytes([10, 0, 0, 2])
        + asking
        + bytes([10, 0, 0, 1])
    )


def test_nothing_else_is_answered() -> None:
    assert arp_answer(ADDRESSING, "h0", request("h0", bytes([10, 0, 0, 9]))) is None
    assert arp_answer(ADDRESSING, "h0", request("h0", bytes([10, 0, 0, 1]))) is None
    assert arp_answer(ADDRESSING, "h0", request("h0", bytes([10, 0, 0, 2]), operation=2)) is None
    assert arp_answer(ADDRESSING, "h0", request("h0", bytes([10, 0, 0, 2]))[:41]) is None


@given(st.binary(max_size=80))
def test_no_frame_is_too_strange(frame: bytes) -> None:
    arp_answer(ADDRESSING, "h0", frame)
