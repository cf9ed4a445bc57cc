"""Identities: who was captured, and who is shown instead.

`learn_identities` finds the identifiers of a device, its home and its peers; a `Pseudonyms` draws
another for each, and a `Disguise` replaces them in frames.
"""

from iotflowgen.packets.identity.disguise import Disguise, Identified, ShowsHosts, pseudonymise
from iotflowgen.packets.identity.identities import learn_identities
from iotflowgen.packets.identity.places import Places
from iotflowgen.packets.identity.pseudonyms import Pseudonyms

__all__ = [
    "Disguise",
    "Identified",
    "Places",
    "Pseudonyms",
    "ShowsHosts",
    "learn_identities",
    "pseudonymise",
]
