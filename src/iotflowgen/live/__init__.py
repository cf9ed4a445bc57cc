"""Decoys on a network: traffic composed ahead, sent when it is due.

One process composes what decoys and their peers send, with absolute due times; one only waits and
sends; one answers; one gets addresses, and keeps them; this one starts them all, and ends them.
"""

from typing import TYPE_CHECKING

from iotflowgen.extras import lazy_names

if TYPE_CHECKING:
    from iotflowgen.live.checking.checks import check
    from iotflowgen.live.compose import Composer, Stretch, dry_run
    from iotflowgen.live.home import Decoy, Home, Network, read_home
    from iotflowgen.live.ledger import without_fakes
    from iotflowgen.live.operating.control import DEFAULT_SOCKET, ask
    from iotflowgen.live.running.place import Place
    from iotflowgen.live.running.supervise import run

__all__ = [
    "DEFAULT_SOCKET",
    "Composer",
    "Decoy",
    "Home",
    "Network",
    "Place",
    "Stretch",
    "ask",
    "check",
    "dry_run",
    "read_home",
    "run",
    "without_fakes",
]

# the process that emits imports from here, and is to stay small
__getattr__ = lazy_names(
    __name__,
    {
        "checking.checks": ("check",),
        "compose": ("Composer", "Stretch", "dry_run"),
        "operating.control": ("DEFAULT_SOCKET", "ask"),
        "home": ("Decoy", "Home", "Network", "read_home"),
        "ledger": ("without_fakes",),
        "running.place": ("Place",),
        "running.supervise": ("run",),
    },
)
