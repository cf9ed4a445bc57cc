"""Decoys on a network: traffic composed ahead, sent when it is due.

Three processes: one composes what decoys and their peers send, with absolute due times; one only
waits and sends; this one starts both, and ends them.
"""

from typing import TYPE_CHECKING

from iotflowgen.extras import lazy_names

if TYPE_CHECKING:
    from iotflowgen.live.compose import Composer, Stretch, dry_run
    from iotflowgen.live.home import Decoy, Home, Network, read_home
    from iotflowgen.live.supervise import Place, run

__all__ = [
    "Composer",
    "Decoy",
    "Home",
    "Network",
    "Place",
    "Stretch",
    "dry_run",
    "read_home",
    "run",
]

# the process that emits imports from here, and is to stay small
__getattr__ = lazy_names(
    __name__,
    {
        "compose": ("Composer", "Stretch", "dry_run"),
        "home": ("Decoy", "Home", "Network", "read_home"),
        "supervise": ("Place", "run"),
    },
)
