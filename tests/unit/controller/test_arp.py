from __future__ import annotations

from fake_network import ring
from hypothesis import given
from hypothesis import strategies as st

from controller.arp import Claim, arp_answer, forged_claim
from controller.arp_responder import ArpResponder
from controller.messages import SpoofedArp
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


def test_a_forged_frame_is_refused_counted_and_reported_once_a_second() -> None:
    reports: list[SpoofedArp] = []
    now = 50.0
    arp = ArpResponder(ADDRESSING, reports.append, lambda: now)
    forged = request("h2", bytes([10, 0, 0, 2]))
    for _ in range(5):
        assert arp.answer("h0", forged) is None
    assert arp.answer("h0", request("h0", bytes([10, 0, 0, 2]))) is not None
    claim = {"mac": ADDRESSING.mac["h2"], "ipv4": ADDRESSING.ipv4["h2"]}
    assert reports == [SpoofedArp(t_s=50.0, host="h0", refused=1, **claim)]
    arp.answer("h1", forged)  # another host's frames are told for themselves
    now = 51.0
    arp.answer("h0", forged)
    assert [(report.host, report.refused) for report in reports[1:]] == [("h1", 1), ("h0", 6)]


def test_each_address_of_the_sender_counts() -> None:
    true = request("h0", bytes([10, 0, 0, 2]))
    mac = packed(ADDRESSING.mac["h0"])
    assert forged_claim(ADDRESSING, "h0", true) is None
    probe = true[:28] + bytes(4) + true[32:]
    assert forged_claim(ADDRESSING, "h0", probe) is None
    other_mac, other_ip = packed("02:00:00:00:00:09"), bytes([10, 0, 0, 9])
    assert true[6:12] == true[22:28] == mac
    for frame, claim in (
        (true[:6] + other_mac + true[12:], Claim("02:00:00:00:00:09", "10.0.0.1")),
        (true[:22] + other_mac + true[28:], Claim("02:00:00:00:00:09", "10.0.0.1")),
        (true[:28] + other_ip + true[32:], Claim(ADDRESSING.mac["h0"], "10.0.0.9")),
    ):
        assert forged_claim(ADDRESSING, "h0", frame) == claim
