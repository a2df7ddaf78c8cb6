"""A timer file descriptor with nanosecond resolution; see timerfd_create(2).

epoll's own timeout has steps of a millisecond, and os.timerfd_create came with Python 3.13.
"""

from __future__ import annotations

import ctypes
import os

_CLOCK_MONOTONIC = 1
_TFD_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC
_TFD_TIMER_ABSTIME = 1
_PR_SET_TIMERSLACK = 29
_NS_PER_S = 1_000_000_000


class _ITimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


_libc = ctypes.CDLL(None, use_errno=True)


class Timer:
    """Becomes readable at an instant of CLOCK_MONOTONIC."""

    def __init__(self) -> None:
        self._fd = _libc.timerfd_create(_CLOCK_MONOTONIC, _TFD_FLAGS)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._spec = _ITimerSpec()
        self._pointer = ctypes.byref(self._spec)

    def fileno(self) -> int:
        """The file descriptor to poll."""
        return int(self._fd)

    def arm(self, at_ns: int) -> None:
        """Become readable at `at_ns`; an instant in the past means now."""
        self._spec.value_s, self._spec.value_ns = divmod(max(at_ns, 1), _NS_PER_S)
        if _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, self._pointer, None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def acknowledge(self) -> None:
        """Make it unreadable again."""
        os.read(self._fd, 8)


def forbid_timer_slack() -> None:
    """Ask the kernel not to coalesce this process's timers; see prctl(2)."""
    _libc.prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
