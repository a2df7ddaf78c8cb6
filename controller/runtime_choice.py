"""Which OpenFlow library the controller runs on: a choice of the environment, not of a playbook.

Set TWINBED_RUNTIME=os-ken for Ryu's maintained fork. Nothing of either library is imported here.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Literal

from controller.errors import StartError

Runtime = Literal["ryu", "os-ken"]
"""Also the name of its distribution."""

VARIABLE = "TWINBED_RUNTIME"
PACKAGES: dict[Runtime, str] = {"ryu": "ryu", "os-ken": "os_ken"}


def chosen_runtime() -> Runtime:
    """The library that the environment asks for; Ryu if it does not ask.

    Raises:
        StartError: there is no such library, or it is not installed.
    """
    chosen = os.environ.get(VARIABLE) or "ryu"
    if chosen not in PACKAGES:
        raise StartError(f"{VARIABLE}={chosen}: choose one of {', '.join(PACKAGES)}")
    if importlib.util.find_spec(PACKAGES[chosen]) is None:
        raise StartError(f"{chosen} is not installed: pip install {chosen}")
    return chosen
