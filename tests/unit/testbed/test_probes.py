"""irtt's JSON report, as written by version 0.9.0, as a probe stream."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import msgspec
import pytest

from testbed.probes import ProbePlan, Probes, ProbesError, client_argv, parse_stream
from testbed.records import ProbeStream

PLAN = ProbePlan("a", "b", "outage", 20.0)
OFFSET_S = 1795416000.0

ANSWERED = {
    "seqno": 0,
    "lost": "false",
    "timestamps": {
        "client": {
            "receive": {"wall": 1795416343046073463, "monotonic": 4141930},
            "send": {"wall": 1795416343045852340, "monotonic": 3920797},
        },
        "server": {
            "receive": {"wall": 1795416343045972178},
            "send": {"wall": 1795416343045977816},
        },
    },
    "delay": {"receive": 95647, "rtt": 215495, "send": 119838},
    "ipdv": {},
}
LOST = {
    "seqno": 488,
    "lost": "true",
    "timestamps": {
        "client": {"receive": {}, "send": {"wall": 1795416352351923612, "monotonic": 1001990983}},
        "server": {"receive": {}, "send": {}},
    },
    "delay": {},
    "ipdv": {},
}
REPORT = json.dumps({"version": {"irtt": "0.9.0"}, "round_trips": [ANSWERED, LOST]}).encode()


def test_delays_come_from_the_stamps_and_a_lost_packet_has_none() -> None:
    stream = parse_stream(REPORT, PLAN, OFFSET_S, until_s=1000.0)
    assert stream.sent_s == pytest.approx((343.045852, 352.351924), abs=1e-5)
    assert stream.forward_ms == (pytest.approx(0.1198, abs=1e-4), None)
    assert stream.backward_ms == (pytest.approx(0.0956, abs=1e-4), None)
    assert (stream.pair, stream.purpose, stream.spacing_ms) == (("a", "b"), "outage", 20.0)


def test_what_was_sent_at_the_very_end_is_left_out() -> None:
    assert len(parse_stream(REPORT, PLAN, OFFSET_S, until_s=352.0).sent_s) == 1


def test_a_report_cut_off_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        parse_stream(REPORT[:-3], PLAN, OFFSET_S, until_s=1000.0)


def test_a_client_command_has_units_that_irtt_reads() -> None:
    argv = client_argv("10.0.0.2", 2.5, 90.0, Path("x.json"))
    assert argv[argv.index("-i") + 1] == "2.5ms"
    assert argv[argv.index("-d") + 1] == "90s"
    assert argv[-1] == "10.0.0.2:2112"


class BrokenHosts:
    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        complaint = f"echo {host} has no {argv[0]} >&2; exit 1"
        return subprocess.Popen(["sh", "-c", complaint], stdin=stdin, stdout=stdout, stderr=stderr)


def test_servers_that_do_not_start_are_named_and_nothing_is_left(tmp_path: Path) -> None:
    output = tmp_path / "probes.jsonl"
    probes = Probes(BrokenHosts(), {"b": "10.0.0.2"}, output, OFFSET_S)
    with pytest.raises(ProbesError, match="on b: b has no irtt"):
        probes.start([PLAN], longest_s=60)
    assert output.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [output]


class Hosts:
    """A client writes its report when it is interrupted, as irtt does; a server sleeps."""

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        del host
        script = "exec sleep 60"
        if "client" in argv:
            report = argv[argv.index("-o") + 1]
            script = (
                f"trap 'echo $0 > {report}; exit 0' INT; touch {report}.ready; "
                "while :; do sleep 0.01; done"
            )
        command = ["sh", "-c", script, REPORT.decode()]
        return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)


def started(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Probes:
    monkeypatch.setattr("testbed.probes.await_udp_port", lambda *_: True)
    probes = Probes(Hosts(), {"b": "10.0.0.2"}, folder / "probes.jsonl", OFFSET_S)
    probes.start([PLAN], longest_s=60)
    deadline_s = time.monotonic() + 5
    while not list(folder.glob("*/*.ready")):
        assert time.monotonic() < deadline_s
    return probes


def test_what_is_stopped_twice_is_recorded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probes = started(tmp_path, monkeypatch)
    assert probes.stop() == ()
    assert probes.stop() == ()
    (line,) = (tmp_path / "probes.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(line, type=ProbeStream).pair == ("a", "b")
    assert [file.name for file in tmp_path.iterdir()] == ["probes.jsonl"]


@pytest.mark.parametrize(("in_a_hurry", "yielding"), [(False, 1), (True, 0)])
def test_reports_give_way_unless_the_run_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_a_hurry: bool, yielding: int
) -> None:
    given: list[object] = []
    monkeypatch.setattr("testbed.probes._give_way", given.append)
    started(tmp_path, monkeypatch).stop(in_a_hurry=in_a_hurry)
    assert len(given) == yielding
