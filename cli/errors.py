"""What a user can mend: it ends the command with a message instead of a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Bad input (exit code 2), or a machine that cannot do it (exit code 3).

    The message says what is wrong, where, and how to mend it.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
