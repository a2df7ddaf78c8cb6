"""What keeps a lab from touching the machine outside it."""

from __future__ import annotations

import pytest

from testbed.sandbox import SandboxUnavailableError, furnish


def test_nothing_is_mounted_outside_a_sandbox() -> None:
    with pytest.raises(SandboxUnavailableError, match="outside a sandbox"):
        furnish({})
