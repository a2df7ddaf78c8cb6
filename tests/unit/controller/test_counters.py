from __future__ import annotations

from types import SimpleNamespace

from fake_network import ring
from hypothesis import given
from hypothesis import strategies as st

from controller.counters import OdTotals, port_counters
from controller.messages import OdCounters
from topologies.addressing import address

ADDRESSING = address(ring(3))


def port(number: int, rx_bytes: int = 0) -> SimpleNamespace:
    names = ("rx_packets", "tx_packets", "tx_bytes", "rx_dropped", "tx_dropped")
    return SimpleNamespace(port_no=number, rx_bytes=rx_bytes, **dict.fromkeys(names, 5))


def flow(packets: int, size: int, source: str = "h0", target: str = "h1") -> SimpleNamespace:
    fields = [("in_port", ADDRESSING.port["s0", source]), ("eth_dst", ADDRESSING.mac[target])]
    match = SimpleNamespace(items=lambda: fields)
    return SimpleNamespace(packet_count=packets, byte_count=size, match=match)


def test_ports_are_named_by_their_neighbour_and_unknown_ones_left_out() -> None:
    stats = [port(0xFFFFFFFE), port(2, rx_bytes=20), port(1, rx_bytes=10), port(77)]
    counters = port_counters(ADDRESSING, "s0", stats)
    assert [(c.neighbour, c.rx_bytes, c.tx_bytes) for c in counters] == [
        (ADDRESSING.neighbour["s0", 1], 10, 5),
        (ADDRESSING.neighbour["s0", 2], 20, 5),
    ]


def test_pairs_are_named_by_their_hosts() -> None:
    strange = flow(1, 1)
    strange.match = SimpleNamespace(items=lambda: [("in_port", 3)])
    totals = OdTotals(ADDRESSING)
    assert totals.update("s0", [flow(3, 300), strange, flow(1, 60, "h0", "h2")]) == (
        OdCounters("h0", "h1", 3, 300),
        OdCounters("h0", "h2", 1, 60),
    )


@given(st.lists(st.lists(st.integers(1, 1000), max_size=5), max_size=6))
def test_totals_count_on_when_a_switch_starts_from_zero(lives: list[list[int]]) -> None:
    """Each life of the switch is a list of increments, and ends with all counters lost."""
    totals = OdTotals(ADDRESSING)
    sent = 0
    for life in lives:
        count = 0
        for increment in life:
            count += increment
            seen = totals.update("s0", [flow(count, 100 * count)])[0]
            assert seen.packets <= sent + count
            assert seen.bytes == 100 * seen.packets
            previous = seen
        # A restart shows only if it left fewer packets than before: read the zero as well.
        if life:
            assert totals.update("s0", [flow(0, 0)])[0] == previous
            sent += count
            assert previous.packets == sent


def test_a_flow_with_an_entry_of_its_own_counts_for_its_pair_even_when_it_is_gone() -> None:
    def own(packets: int) -> SimpleNamespace:
        fields = [*flow(0, 0).match.items(), ("ip_proto", 17), ("udp_dst", 5001)]
        match = SimpleNamespace(items=lambda: fields)
        return SimpleNamespace(packet_count=packets, byte_count=100 * packets, match=match)

    totals = OdTotals(ADDRESSING)
    assert totals.update("s0", [flow(3, 300), own(4)]) == (OdCounters("h0", "h1", 7, 700),)
    assert totals.update("s0", [own(6), flow(3, 300)]) == (OdCounters("h0", "h1", 9, 900),)
    assert totals.update("s0", [flow(5, 500)]) == (OdCounters("h0", "h1", 11, 1100),)
    assert totals.update("s0", [flow(5, 500), own(1)]) == (OdCounters("h0", "h1", 12, 1200),)
