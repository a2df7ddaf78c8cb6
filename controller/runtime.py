"""The OpenFlow library underneath: Ryu, or os-ken, its maintained fork. Both run on eventlet.

`select` comes before the first import of `controller.application`; without it, Ryu is used.
"""

from __future__ import annotations

import importlib
import os
import socket
import warnings
from typing import Any

from controller.runtime_choice import PACKAGES, Runtime

os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")  # no names are resolved; saves 0.2 s
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet announces, on import, that it is in bugfix mode
    import eventlet
    import eventlet.wsgi
    from eventlet.greenio import GreenSocket

_APP_CLASSES = {"ryu": "RyuApp", "os-ken": "OSKenApp"}
_selected: Runtime = "ryu"


def select(runtime: Runtime) -> None:
    """Use this library, which is installed, from now on."""
    global _selected
    _selected = runtime
    # os-ken's own hub never returns from Event.wait(timeout) and loses exceptions.
    os.environ["OSKEN_HUB_TYPE"] = "eventlet"
    if not hasattr(eventlet.wsgi, "ALREADY_HANDLED"):
        eventlet.wsgi.ALREADY_HANDLED = b""  # Ryu imports it; eventlet 0.33 removed it


def module(name: str) -> Any:
    """A submodule of the library, named as in Ryu."""
    return importlib.import_module(f"{PACKAGES[_selected]}.{name}")


def app_class() -> Any:
    """The base class of applications."""
    return getattr(module("base.app_manager"), _APP_CLASSES[_selected])


def start(application: str, listener: socket.socket, **arguments: object) -> None:
    """Instantiate the application of a module with `arguments`, for switches of `listener`."""
    manager = module("base.app_manager").AppManager.get_instance()
    module("cfg").CONF(args=[], project="twinbed", default_config_files=[])
    ofp_handler = module("controller.ofp_handler")
    # The library's own listener would share a port that is taken (SO_REUSEPORT), not fail.
    ofp_handler.OpenFlowController = lambda: lambda: _accept(GreenSocket(listener))
    manager.load_apps([application, ofp_handler.__name__])
    manager.instantiate_apps(**manager.create_contexts(), **arguments)


def _accept(listener: Any) -> None:
    serve = module("controller.controller").datapath_connection_factory
    while True:
        connection, address = listener.accept()
        eventlet.spawn_n(serve, connection, address)
