"""Which TCP and UDP ports Wireshark gives to a dissector, whatever the payload looks like.

Random bytes are malformed to most dissectors, so a builder has to know where it may put them, and
where a protocol is recognised. From `tshark -G decodes` of Wireshark 4.0; of two claimed ports the
lower one is asked first. An older or newer Wireshark differs in a few.
"""

from collections.abc import Iterable

from iotflowgen.wire.ports import TCP_PORTS, UDP_PORTS, ports_of

__all__ = ["HTTP_PORTS", "PORTS_ALIKE", "TLS_PORTS", "claimed_port", "keeping_port"]

_IPP = frozenset({631})
"""Bodies of HTTP are dissected as IPP there."""
HTTP_PORTS = TCP_PORTS["http"] - _IPP
TLS_PORTS = TCP_PORTS["tls"]

# the dissector declines what is not its own, so that HTTP and TLS are recognised by content
_POLITE = ports_of(
    """
    0 104 199 473 502 646 829 1521 1978-1979 1998 2000-2001 2065 2190 2424 2427 2727 2855 3050
    3205 3333-3334 3389 3567 4058 4224 4321 4369 4661-4663 4737 5066 5190 5555 5721 6075 6666
    7890 7900 7930 8004 8010 9000 9042 9168 9600 9999-10000 11210 13819 20000 20256 30000-30200
    """
)

# and some decline one of HTTP and TLS, but not the other
_STUBBORN = ports_of(
    "143 674 1344 1433 1755 2433 2501 3002-3003 3006 3386 4222 4249-4250 5000 5094 9955 22222"
).union(_IPP, *(TCP_PORTS[service] for service in ("other", "dns", "ntp")))

# of TCP, and what is not the dissector's own is malformed to it: seen with TLS and random bytes
_STRICT = ports_of(
    """
    1153 1723 1861 1883 1900 2123 2152 2269 2404 2571 2600 2869 3002-3003 3006 3132 3357 3386 3452
    3632 3671 3689 3724 3863 4189 4222 4249-4250 4555 5253 5683 5985 6000-6063 6160 6667-6668 7911
    8023 9956 11371 13400 34980 48049 48898 57000
    """
)

_UDP = ports_of(
    """
    0 88 161-162 177 473 502 539 573 623 646 654 699 750 1044 1052 1069 1089-1091 1101 1547
    1645-1646 1700-1701 1812-1813 1985 2029 2048 2055 2067 2123 2152 2190 2231 2424 2427-2428
    2727 2960 3121 3205 3222 3333 3386 3478 3483 3503 3540 3622 3792 3799 3819 3956 4000 4011
    4058 4533-4534 4556 4665 4672 4713 4739 5000-5001 5050 5060 5094 5264-5265 5555 6060 6084
    6087 6343 6543 6666 6696 7000-7010 7021 8000 8116 8161 8211 8611-8614 8755 9003 9600 9996
    9999 10500 11898 13819 13907 13910 17754 18246 19788 20000 20561 22222 27036 30030 45564
    47808 49999 56000-56001 56500-56501 57000-57001 57032-57033 57500-57501 57532-57533
    59000-59001 59032-59033 59500-59501 59532-59533 60001
    """
).union(*UDP_PORTS.values())

_CLAIMED = {"tcp": HTTP_PORTS | TLS_PORTS | _POLITE | _STUBBORN, "udp": _UDP}

_KINDS = {
    "tcp": (HTTP_PORTS, TLS_PORTS, _STUBBORN - HTTP_PORTS - TLS_PORTS),
    "udp": (_UDP,),
}
PORTS_ALIKE = {
    transport: {
        port: rising for kind in kinds for rising in [sorted(kind - _STRICT)] for port in kind
    }
    for transport, kinds in _KINDS.items()
}
"""For each port of TCP or UDP where payload is taken for a protocol's, whatever it is, those where
it is read as there, and not malformed; these rise."""


def claimed_port(transport: str, ports: Iterable[int]) -> int | None:
    """The port whose dissector gets the payload first; None where neither is claimed."""
    claimed = _CLAIMED[transport]
    return min((port for port in ports if port in claimed), default=None)


def keeping_port(transport: str, ports: Iterable[int]) -> int | None:
    """The port whose dissector keeps the payload, also when it is not its own; None without one."""
    if transport == "tcp":
        ports = (port for port in ports if port not in _POLITE)
    return claimed_port(transport, ports)
