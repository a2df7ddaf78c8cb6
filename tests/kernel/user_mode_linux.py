"""A Linux with netem and the openvswitch module on any machine: the package user-mode-linux.

The guest is a process of ours, so no privilege is needed; it has one processor and slow system
calls. See the kernel's Documentation/virt/uml.

`python tests/kernel/user_mode_linux.py COMMAND...` runs a command there and shows what it printed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "user-mode-linux"
_MODULES = "/usr/lib/uml/modules"
_INIT = Path(__file__).with_name("guest-init")
_LARGE_XSTATE = Path(__file__).with_name("large_xstate.c")
_MEMORY = "4096M"
_PATIENCE_S = 3600.0
_NICENESS = -5
"""Its tests are about time, and other tests may run beside it."""
_PASSED_ON = ("HOME", "LANG", "PATH", "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")


class GuestError(Exception):
    """The guest did not get as far as the command's end; the message holds its last words."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    output: str


def missing() -> str | None:
    """Why there can be no guest here, or None."""
    if not any(map(shutil.which, ("linux.uml", "linux"))):
        return f"no program linux.uml: install the package {PACKAGE}"
    if _has_large_xstate() and not shutil.which("cc"):
        return "the processor has AMX, which linux.uml does not bear without help: install gcc"
    return None


class Guest:
    """A guest that runs a command in the current folder as its root, and then switches off.

    The guest sees all files of this machine; it writes to a copy in memory, except in `results`,
    which must be an empty directory of ours.
    """

    def __init__(self, argv: Sequence[str], results: Path) -> None:
        self._results = results.resolve()
        exports = [
            f"export {name}={shlex.quote(os.environ[name])}"
            for name in _PASSED_ON
            if name in os.environ
        ]
        lines = [*exports, f"cd {shlex.quote(str(Path.cwd()))}", f"exec {shlex.join(argv)}"]
        (results / "command").write_text("\n".join(lines) + "\n")
        with (results / "console").open("wb") as console:
            self._process = subprocess.Popen(
                _command_line(self._results),
                # The guest's memory is a file there, which must allow executable mappings.
                env={**os.environ, "TMPDIR": "/dev/shm", **_preloaded(self._results)},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, timeout_s: float) -> Outcome:
        """How the command has ended, once the guest is off.

        Raises:
            GuestError: the guest died, or takes longer than `timeout_s` from now.
        """
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            words = _last_words(self._results)
            raise GuestError(f"not done after {timeout_s:g} s more:\n{words}") from error
        finally:
            self.kill()
        if not (self._results / "status").exists():
            raise GuestError(_last_words(self._results))
        status = int((self._results / "status").read_text())
        return Outcome(status, _read(self._results / "output"))

    def kill(self) -> None:
        """Be rid of every process of the guest: each is one of ours."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _has_large_xstate() -> bool:
    return "amx_tile" in Path("/proc/cpuinfo").read_text().split()


def _preloaded(folder: Path) -> dict[str, str]:
    """What the environment needs where the processor has more state than linux.uml knows."""
    if not _has_large_xstate():
        return {}
    library = folder / "large_xstate.so"
    flags = ["-O2", "-shared", "-fPIC", "-Wall", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(library), str(_LARGE_XSTATE), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def _command_line(results: Path) -> list[str]:
    # With a namespace of their own no process of the guest outlives us, whatever ends us.
    as_root = [*("nice", "-n", str(_NICENESS)), *("unshare", "--pid", "--fork", "--kill-child")]
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *(as_root if os.geteuid() == 0 else []),
        shutil.which("linux.uml") or "linux",
        f"mem={_MEMORY}",
        *("rootfstype=hostfs", "rootflags=/", "ro", f"init={_INIT.resolve()}"),
        *(f"uml_dir={results / 'uml'}", f"umid=guest{os.getpid()}"),
        *("con=null", "con0=null,fd:1", "ssl=null", "quiet", "loglevel=3"),
        *(f"RESULTS={results}", f"MODULES={_MODULES}"),
    ]


def _last_words(results: Path) -> str:
    return "\n".join((_read(results / "output") + _read(results / "console")).splitlines()[-20:])


def _read(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def main() -> int:
    """Run the command of our arguments; its exit code."""
    if reason := missing():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="twinbed-uml-") as results:
        try:
            outcome = Guest(sys.argv[1:], Path(results)).wait(_PATIENCE_S)
        except GuestError as error:
            sys.exit(str(error))
    sys.stdout.write(outcome.output)
    return outcome.status


if __name__ == "__main__":
    sys.exit(main())
