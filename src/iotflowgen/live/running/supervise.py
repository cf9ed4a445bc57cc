"""Starts the processes that put decoys on a network, again where one crashes, and ends them."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from typing import Any, Final

from iotflowgen.errors import NetworkError
from iotflowgen.live.fence import bridge_port
from iotflowgen.live.handover.namespaces import Namespaces
from iotflowgen.live.home import Home
from iotflowgen.live.interfaces import Interfaces, silence, survey
from iotflowgen.live.operating.control import Control
from iotflowgen.live.operating.metrics import Metrics
from iotflowgen.live.operating.signals import Signals
from iotflowgen.live.running.attempt import Attempt
from iotflowgen.live.running.listener import Listener
from iotflowgen.live.running.place import Place

__all__ = ["behind", "run"]

_SHORT_S: Final = 2.0
"""Who crashes sooner than this does so again."""


def run(
    home: Home,
    place: Place,
    *,
    start_ns: int | None = None,
    pace: float = 1.0,
    seconds: float = float("inf"),
    reread: Callable[[], Home] | None = None,
    say: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Put decoys on a network, for so many seconds or until Ctrl-C, and tell how it went.

    Args:
        home: Which decoys.
        place: Where.
        start_ns: Device time at which they are switched on, nanoseconds since the epoch; now, by
            default.
        pace: Device seconds in a second: more than one makes a day pass in an hour.
        seconds: How long, on the clock on the wall.
        reread: Says which decoys there are to be by now, when somebody asks for a reload; by
            default they stay as they are. Its errors are told, and change nothing.
        say: Told what happens, in lines.

    Raises:
        NetworkError: An interface or an address is not to be used, or a right is missing.
        ModelError: A model is absent or damaged.
        ArgumentError: A decoy does not fit the network.
    """
    with ExitStack() as whole:
        signals = whole.enter_context(Signals())
        listeners: list[Listener] = [signals, whole.enter_context(Control(place.socket))]
        if place.metrics is not None:
            listeners.append(whole.enter_context(Metrics(place.metrics)))
        if place.bridge:
            near = whole.enter_context(bridge_port(place.bridge))
            place = replace(place, near=near, far=place.bridge)
        interfaces = survey()
        for name in (place.near, place.far):
            interfaces.check(name, place.confirmed)
            if silence(name, interfaces):
                say(f"{name}: IPv6 of its own is off from now on")

        def now_wanted() -> Home:
            return behind(reread() if reread else home, place.far, interfaces)

        home = behind(home, place.far, interfaces)
        spaces = whole.enter_context(Namespaces(place.socket, say))
        begun = time.monotonic()
        for restarts in count():
            passed = time.monotonic() - begun if restarts else 0.0
            told = {
                "start_ns": None if start_ns is None else start_ns + int(passed * pace * 1e9),
                "pace": pace,
                "seconds": min(seconds, 1e9) - passed,
                # whoever was on a moment ago has its address
                "looks": not restarts,
            }
            with ExitStack() as stack:
                attempt = Attempt(stack, place, interfaces, spaces, now_wanted, signals, say)
                attempt.begin(home, told)
                found = attempt.wait(listeners)
                home = attempt.home
            if found is not None:
                return {**found, "restarts": restarts}
            if time.monotonic() - begun - passed < _SHORT_S:
                break
            say("a process has ended before its time; decoys are switched on again")
    raise NetworkError("a process ends again and again; see above")


def behind(home: Home, far: str, interfaces: Interfaces) -> Home:
    """A home behind the gateway that this computer is, where that has an address at the far end."""
    own = interfaces.ip4(far)
    if own is None:
        return home
    here = {"subnet": own.network, "gateway": own.ip, "gateway_mac": interfaces.macs[far]}
    said = {name: value for name, value in home.network if value is not None}
    return home.model_copy(update={"network": home.network.model_copy(update={**here, **said})})
