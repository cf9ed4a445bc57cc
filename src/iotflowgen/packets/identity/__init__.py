"""Whose packets were captured, and who is shown in their place.

`learn_identities` finds what identifies a device, its home and the hosts that it talks to; a
`Persona` draws another of each, and puts these into frames.
"""

from iotflowgen.packets.identity.identities import learn_identities
from iotflowgen.packets.identity.persona import Persona

__all__ = ["Persona", "learn_identities"]
