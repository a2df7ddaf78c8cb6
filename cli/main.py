"""`twinbed VERB ...`: finds the verb's module and turns errors into messages and exit codes.

A verb's module offers a docstring (its help), `add_arguments(parser)` and `run(arguments)`, which
returns the exit code. Only the module of the verb that was asked for is imported. A verb that
passes words on to another program sets the default `passed_on`, and finds them there: those that
are not its own, --help among them, unless that is the first word.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol, cast

from cli.arguments import HELP_WORDS

VERBS = {
    "demo": "the three scenarios on the Abilene network: plain controller against twin",
    "run": "run one playbook under one policy",
    "test": "run the project's own tests",
    "bench": "measure against targets: links, models, policies",
    "doctor": "say what this machine has, what is used instead, and how to get the rest",
    "topo": "list, check and draw topologies",
    "twin": "what the twin knows of a run: every link and pair, and how old that is",
    "calibrate": "measure what packets do on this machine, and fit the twin's model to it",
    "whatif": "ask the twin what would be: failures, more traffic, new links, and better routes",
    "verify": "walk packets through the tables of a run: no loop, no black hole",
    "routes": "show the path of every pair, now or at a run's end",
    "flows": "show the flow entries and groups of the switches",
    "events": "show what happened in a run, in order; --follow while it lasts",
    "history": "look at, convert and make the traffic histories that models learn from",
    "train": "train a model: the GAN, the VAE, the twin's forecaster or its policy",
    "generate": "make traffic with a trained model",
    "models": "list the trained models, their scores and their cost",
    "report": "write the HTML report of a run again",
    "ps": "list the labs that are running",
    "stop": "stop running labs",
}

EXIT_CODES = """\
exit codes:
  0    it worked
  1    it ran, and what was asked does not hold (a failed test, a missed expectation)
  2    the input is wrong
  3    this machine cannot do it, or could not carry it: the run is not valid
  130  interrupted (Ctrl-C, SIGTERM, a session that drops)
"""


class Verb(Protocol):
    """What every verb's module offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            with _ended_in_order():
                return _dispatch(words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError as error:
        if not _reader_has_left():
            return _explain(error)
        _silence(sys.stdout.fileno())  # or the interpreter flushes again
        return 0
    except Exception as error:  # noqa: BLE001 - this is the edge; defects are raised again
        return _explain(error)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """`twinbed stop` (SIGTERM) and a session that drops (SIGHUP) end a command as Ctrl-C does.

    Who has it ignore one of them (nohup) still does.
    """
    terminals = [output for output in (1, 2) if os.isatty(output)]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for one in taken:  # shells send it once more, and sessions the other one, too
            signal.signal(one, signal.SIG_IGN)
        if number == signal.SIGHUP:  # the terminal goes, and then writing to it fails
            for terminal in terminals:
                _silence(terminal)
        raise KeyboardInterrupt

    taken = [
        number
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) == signal.SIG_DFL
    ]
    for number in taken:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _silence(output: int) -> None:
    """What is still written to this descriptor goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)


def _dispatch(words: list[str]) -> int:
    parser = _top_level_parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    name = parser.parse_args(words[:1]).verb
    verb = cast(Verb, importlib.import_module(f"cli.{name}"))
    return verb.run(_parse(_verb_parser(name, verb), words[1:]))


def _top_level_parser() -> argparse.ArgumentParser:
    width = max(map(len, VERBS))
    listing = "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="twinbed",
        usage="twinbed VERB [...]        (twinbed VERB --help says more)",
        description="An emulation testbed with a digital twin in the loop.",
        epilog=f"verbs:\n{listing}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", metavar="VERB", choices=VERBS, help=argparse.SUPPRESS)
    return parser


def _verb_parser(name: str, verb: Verb) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"twinbed {name}",
        description=verb.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.add_arguments(parser)
    return parser


def _parse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    if parser.get_default("passed_on") is None:
        return parser.parse_args(words)
    of_others = [word for word in words[1:] if word in HELP_WORDS]
    own = [*words[:1], *(word for word in words[1:] if word not in HELP_WORDS)]
    arguments, unknown = parser.parse_known_args(own)
    arguments.passed_on = [*unknown, *of_others]
    return arguments


def _reader_has_left() -> bool:
    """Whether it is our own output that nobody reads any more (`head`, a pager)."""
    poll = select.poll()
    poll.register(sys.stdout, 0)  # POLLERR is always reported
    return bool(poll.poll(0))


def _explain(error: Exception) -> int:
    """What the user can mend becomes a message; anything else keeps its traceback."""
    from cli.errors import UserError
    from topologies.documents import DocumentError

    if isinstance(error, DocumentError):
        for problem in error.problems:
            _say(str(problem))
        return 2
    if isinstance(error, UserError):
        _say(str(error))
        return error.exit_code
    _say("this is a defect of Twinbed: please report it with the lines below")
    raise error


def _say(message: str) -> None:
    sys.stderr.write(f"twinbed: {message}\n")
