import io
from dataclasses import replace

import pytest
from rich.console import Console

from cli.doctor import verdict
from cli.doctor_kernel import kernel_parts
from cli.doctor_parts import Part, is_usable, parts_table
from cli.doctor_programs import first_version, recent_enough
from testbed.attempt import Finding
from testbed.capabilities import Capabilities

YES = Finding(True)
NO = Finding(False, "no such thing")
EVERYTHING = Capabilities(YES, YES, tun=YES, netem=YES, kernel_datapath=YES, real_time=YES)


def usable(capabilities: Capabilities) -> bool:
    return is_usable(kernel_parts(capabilities))


def shown(part: Part) -> list[str]:
    """The lines of a table of one part, blanks made one."""
    text = io.StringIO()
    Console(file=text, width=200).print(parts_table({"things": [part]}))
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_without_kernel_links_the_userspace_ones_will_do() -> None:
    assert usable(EVERYTHING)
    assert usable(replace(EVERYTHING, netem=NO))
    assert usable(replace(EVERYTHING, kernel_datapath=NO))


def test_without_either_no_lab_can_run() -> None:
    assert usable(replace(EVERYTHING, tun=NO))
    assert not usable(replace(EVERYTHING, tun=NO, netem=NO))
    assert not usable(replace(EVERYTHING, tun=NO, kernel_datapath=NO))


def test_without_a_sandbox_no_lab_can_run() -> None:
    assert not usable(replace(EVERYTHING, sandbox=NO))
    assert not usable(Capabilities(sandbox=NO, user_namespaces=NO))


def test_labs_run_without_real_time_priority() -> None:
    assert usable(replace(EVERYTHING, real_time=NO))


def test_what_is_missing_says_why_and_what_to_do() -> None:
    parts = {part.name: part for part in kernel_parts(replace(EVERYTHING, netem=NO))}
    netem = parts["netem and HTB"]
    assert netem.found == "no such thing"
    assert netem.instead
    assert netem.remedy


def test_the_table_tells_what_is_used_instead_and_how_to_get_it() -> None:
    part = Part("thing", False, "[Errno 2]", required=False, instead="another", remedy="buy one")
    assert shown(part) == [
        "things",
        "without thing [Errno 2]",
        "used instead: another",
        "to get it: buy one",
    ]
    assert shown(replace(part, required=True))[1].startswith("missing thing")
    assert shown(replace(part, available=True)) == ["things", "ok thing [Errno 2]"]


def test_what_is_there_but_poor_is_not_called_missing() -> None:
    part = Part("clock", False, "hpet", False, "less exact", "tsc", quality=True)
    assert shown(part) == ["things", "poor clock hpet", "meaning: less exact", "better: tsc"]


def test_the_verdict_names_the_links() -> None:
    assert "userspace links" in verdict(usable=True, backend="userspace")
    assert "cannot run" in verdict(usable=False, backend="userspace")


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("ovs-vswitchd (Open vSwitch) 3.1.0\n", "3.1.0"),
        ("iperf version 2.1.8 (12 August 2022) pthreads", "2.1.8"),
        ("usage: mnexec", None),
    ],
)
def test_reads_versions(answer: str, version: str | None) -> None:
    assert first_version(answer) == version


@pytest.mark.parametrize(
    ("version", "enough"), [("2.0.13", False), ("2.1", True), ("2.1.8", True), ("3.12", False)]
)
def test_iperf_must_be_2_1(version: str, enough: bool) -> None:
    part = Part("iperf", True, version, required=True)
    assert recent_enough(part, "2.1", below="3").available is enough
