"""The words of `whatif`: what a user says might happen, as a scenario of the twin."""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from cli.errors import UserError
from playbooks.checks import canonical_names
from topologies.documents import did_you_mean
from topologies.model import DirectedLink, Link, LinkShape, OdPair, Switch, Topology
from topologies.schema import NAME_PATTERN
from twin.situation import Attack, Scenario

_T = TypeVar("_T")

_ATTACKERS = 3


def add_scenario_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what might happen; all of it happens at once."""
    group = parser.add_argument_group("what might happen (together, as often as you like)")

    def several(option: str, metavar: str, words: str) -> None:
        group.add_argument(option, action="append", default=[], metavar=metavar, help=words)

    several("--fail", "A-B", "this core link fails")
    several("--fail-switch", "S", "this switch fails")
    group.add_argument("--scale", type=float, default=1.0, metavar="X", help="all traffic times X")
    several("--scale-od", "A,B=X", "what host A sends to host B times X")
    group.add_argument(
        "--add-switch",
        "--add-node",
        action="append",
        default=[],
        metavar="S:A,B",
        help="a new switch S, joined to A and B",
    )
    several("--add-link", "A-B[=M[,D]]", "a new link of M Mbit/s and D ms; else as most others are")
    several("--attack", "H=M[,N]", f"N hosts ({_ATTACKERS}) flood host H with M Mbit/s in all")


def scenario_of(arguments: argparse.Namespace, topology: Topology) -> Scenario:
    """The scenario that the words say.

    Raises:
        UserError: a word makes no sense for this network; all of them are named.
    """
    return _Reader(topology).read(arguments)


class _Reader:
    """Knows the nodes of one network, and gathers what is wrong."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._switches = canonical_names(topology.switches)
        self._hosts = canonical_names(topology.hosts)
        self._problems: list[str] = []

    def read(self, arguments: argparse.Namespace) -> Scenario:
        """Read all words, then complain of all that cannot be meant."""
        new = self._each(arguments.add_switch, "--add-switch", self._new_switch)
        added = tuple(switch for switch, _ in new)
        self._switches = canonical_names((*self._topology.switches, *added))
        links = [link for _, joined in new for link in joined]
        links += self._each(arguments.add_link, "--add-link", self._new_link)
        self._refuse_twins("--add-switch", [switch.name for switch in added])
        self._refuse_twins("--add-link", ["-".join(sorted((link.a, link.b))) for link in links])
        if not 0 <= arguments.scale < math.inf:
            self._problems.append(f"--scale {arguments.scale:g}: give a number from 0 on")
        scenario = Scenario(
            fail_links=tuple(self._each(arguments.fail, "--fail", self._link)),
            fail_switches=tuple(self._each(arguments.fail_switch, "--fail-switch", self._switch)),
            add_links=tuple(links),
            add_switches=added,
            scale=arguments.scale,
            scale_pairs=tuple(self._each(arguments.scale_od, "--scale-od", self._scaled)),
            attacks=tuple(self._each(arguments.attack, "--attack", self._attack)),
        )
        if self._problems:
            raise UserError("\n".join(self._problems))
        return scenario

    def _refuse_twins(self, option: str, names: list[str]) -> None:
        for name, times in Counter(names).items():
            if times > 1:
                self._problems.append(f"{option} {name}: added {times} times; once is enough")

    def _each(self, words: list[str], option: str, read: Callable[[str], _T]) -> list[_T]:
        found = []
        for word in words:
            try:
                found.append(read(word))
            except ValueError as error:
                self._problems.append(f"{option} {word}: {error}")
        return found

    def _switch(self, word: str) -> str:
        return _known(word, self._switches, "switch")

    def _host(self, word: str) -> str:
        return _known(word, self._hosts, "host")

    def _ends(self, word: str) -> DirectedLink:
        """A-B, where a name may hold a hyphen itself."""
        cuts = [match.start() for match in re.finditer("-", word)]
        for cut in cuts:
            if word[:cut] in self._switches and word[cut + 1 :] in self._switches:
                return self._switches[word[:cut]], self._switches[word[cut + 1 :]]
        if not cuts:
            raise ValueError("give the two switches that it joins: A-B")
        a, _, b = word.partition("-")
        return self._switch(a), self._switch(b)

    def _link(self, word: str) -> DirectedLink:
        a, b = self._ends(word)
        if (a, b) not in self._topology.core_directions:
            joined = (there for here, there in self._topology.core_directions if here == a)
            raise ValueError(f"there is no link {a}-{b}: {a} is joined to {', '.join(joined)}")
        return a, b

    def _new_link(self, word: str) -> Link:
        ends, _, figures = word.partition("=")
        a, b = self._ends(ends)
        if a == b or (a, b) in self._topology.core_directions:
            raise ValueError("choose two switches that no link joins yet")
        shape = _usual_shape(self._topology)
        rate_mbps, _, delay_ms = figures.partition(",")
        if rate_mbps:
            shape = replace(shape, rate_bps=_positive(rate_mbps) * 1e6)
        if delay_ms:
            shape = replace(shape, delay_ms=_not_negative(delay_ms))
        return Link(a, b, shape)

    def _new_switch(self, word: str) -> tuple[Switch, list[Link]]:
        name, colon, joined = word.partition(":")
        if not colon or not joined:
            raise ValueError("give its name and what it is joined to: S:A,B")
        if not re.fullmatch(NAME_PATTERN, name) or name in self._switches or name in self._hosts:
            raise ValueError("choose another name: 1 to 9 of a-z, 0-9 and -, not taken yet")
        shape = _usual_shape(self._topology)
        neighbours = [self._switch(each) for each in joined.split(",")]
        return Switch(name, name), [Link(name, each, shape) for each in neighbours]

    def _scaled(self, word: str) -> tuple[OdPair, float]:
        hosts, equals, factor = word.partition("=")
        source, comma, target = hosts.partition(",")
        if not (equals and comma):
            raise ValueError("give two hosts and a factor: A,B=3")
        pair = self._host(source), self._host(target)
        if pair[0] == pair[1]:
            raise ValueError("give two different hosts")
        return pair, _not_negative(factor)

    def _attack(self, word: str) -> Attack:
        host, equals, figures = word.partition("=")
        rate_mbps, _, number = figures.partition(",")
        if not equals:
            raise ValueError("give the host and the rate in Mbit/s: H=8")
        victim = self._host(host)
        others = [each.name for each in self._topology.hosts if each.name != victim]
        wanted = _whole(number) if number else min(_ATTACKERS, len(others))
        if not 1 <= wanted <= len(others):
            raise ValueError(f"there are {len(others)} hosts that could attack: 1 or more of them")
        return Attack(victim, _positive(rate_mbps) * 1e6, tuple(others[:wanted]))


def _known(word: str, known: Mapping[str, str], kind: str) -> str:
    if word in known:
        return known[word]
    raise ValueError(f"there is no {kind} {word!r}: {did_you_mean(word, known)}")


def _not_negative(word: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{word!r} is no number from 0 on")
    return number


def _positive(word: str) -> float:
    if not (number := _not_negative(word)):
        raise ValueError(f"{word!r}: give more than 0")
    return number


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise ValueError(f"{word!r} is no whole number") from None


def _usual_shape(topology: Topology) -> LinkShape:
    """The rate and queue that most core links have, and their median delay."""
    shapes = [link.shape for link in topology.core_links]
    usual = Counter((shape.rate_bps, shape.queue_packets) for shape in shapes).most_common(1)
    rate_bps, queue_packets = usual[0][0]
    delay_ms = sorted(shape.delay_ms for shape in shapes)[len(shapes) // 2]
    return LinkShape(rate_bps, delay_ms, queue_packets=queue_packets)
