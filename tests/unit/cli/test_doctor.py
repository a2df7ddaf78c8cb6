import json
from dataclasses import replace

import pytest

from cli.doctor import Part, first_version, is_usable, kernel_parts, recent_enough
from cli.main import main
from testbed.capabilities import Capabilities, Finding

YES = Finding(True)
NO = Finding(False, "no such thing")
EVERYTHING = Capabilities(sandbox=YES, user_namespaces=YES, tun=YES, netem=YES, kernel_datapath=YES)


def usable(capabilities: Capabilities) -> bool:
    return is_usable(kernel_parts(capabilities))


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


def test_what_is_missing_says_why_and_what_to_do() -> None:
    parts = {part.name: part for part in kernel_parts(replace(EVERYTHING, netem=NO))}
    netem = parts["netem and HTB"]
    assert netem.found == "no such thing"
    assert netem.instead
    assert netem.remedy


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


def test_answers_for_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    missing = [part["name"] for part in document["parts"] if part["required"]]
    assert "namespaces" in missing
    assert document["usable"] is all(
        part["available"] for part in document["parts"] if part["required"]
    )
    assert code == (0 if document["usable"] else 3)
    if document["usable"]:
        assert document["links"] in {"kernel", "userspace"}
