"""What Wireshark 4.0 expects on a port, for the protocols that are told by it.

Shapes: P ports.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SERVICES",
    "TCP_PORTS",
    "TCP_SERVICES",
    "UDP_PORTS",
    "UDP_SERVICES",
    "ports_of",
]


def ports_of(text: str) -> frozenset[int]:
    """Ports written as `7 19-25`."""
    ranges = [item.partition("-") for item in text.split()]
    return frozenset(
        port for low, _, high in ranges for port in range(int(low), int(high or low) + 1)
    )


SERVICES: Final = ("", "other", "http", "tls", "dns", "mdns", "ntp", "ssdp", "bootp")
"""What is expected: nothing; a protocol that is none of these; or one of these."""

TCP_PORTS: Final = {
    "http": ports_of("80 631 1900 2710 2869 3128 3132 3689 5985 8080 8088 11371"),
    "tls": ports_of(
        """
        324 443 465 636 802 853 993 995 1300 2221 2443 3249-3252 3496 5061 5671 5684 5868 8883
        11207 19999 27017
        """
    ),
    "dns": ports_of("53 5353"),
    "ntp": ports_of("123"),
    # only those whose dissectors take whatever comes, TLS and HTTP, too
    "other": ports_of(
        """
        7 13 19-23 25 37 42-43 49 70 79 88 102 110-111 119 139 161-162 179 210 323 389 427 445
        464 500 512-515 524 547-548 554 564 587 639 647 705 854 862 873 925 988 1080 1090 1099
        1102 1153 1194 1213 1533 1547 1723 1861 1863 1883 1935 2099 2123 2126 2152 2234 2240
        2269 2321-2322 2345 2401 2404 2502 2571 2575 2600 2812 2944-2945 3014 3016-3019
        3245-3248 3268 3288 3306 3357 3369 3452 3478 3632 3671 3724 3804 3860 3863 3868 3918
        4002 4155 4189 4223 4342 4420 4551 4555-4556 4712 4730 4739 4788 4840 4880 5010 5060
        5084 5222 5253 5432 5445 5500-5501 5534 5672 5683 5701 5900-5901 5997 6000-6063 6068
        6084 6121 6160 6346 6379 6417 6653 6667-6668 6881-6889 7000 7075 7171-7172 7236
        7275-7276 7871 7911 8009 8023 8074 8085 8554 8567 9009 9092 9300 9418 9956 10288 11211
        13400 14001 15740 17500 17755-17756 19006 19042-19043 19506 19543 21064 24800 29418
        34980 44321-44322 44818 48049 48898 57000
        """
    ),
}
UDP_PORTS: Final = {
    "dns": ports_of("53"),
    "bootp": ports_of("67-68"),
    "ntp": ports_of("123"),
    "ssdp": ports_of("1900"),
    "mdns": ports_of("5353"),
    # only those whose dissectors take whatever comes, mDNS or DNS, too
    "other": ports_of(
        """
        7 13 19 37 49 69 111 137-138 173 213 269 319-320 389 427 434 464 496 500 513-514 520-521
        524-525 546-547 631 664 698 701 853-854 910 921 925 1001 1113 1153 1194 1293 1628-1629
        1718-1719 1745 1755 2099 2157 2221-2222 2246 2268-2269 2313 2345 2887 2944-2945
        2948-2949 3000 3130 3250 3343 3357 3389 3452 3455 3544 3567 3671 3784-3785 3804 3863
        4305-4307 4341-4342 4500 4551 4555 4569 4729 4754 4784 4789-4791 4991 5031 5072
        5246-5247 5350-5351 5355 5404-5405 5436 5567 5678 5683-5684 5868 6073 6081 6118 6160
        6635 6784 6970 7074-7075 7255 7275 7784 8200 8600 8767 8805 8848 9200-9203 9214 9875
        9877 9899 9901 9955-9956 10253 11211 11273 12000-12004 12220 12222-12223 13400 17220
        17500 17755-17756 19132 19948 19999 23272 24576-24577 25826 26000 27500 27910
        27950-27953 27960-27963 32000 32512 34962 34980 37008 41170 44818 47000 54328
        """
    ),
}


def _table(ports: dict[str, frozenset[int]]) -> NDArray[np.int8]:
    services = np.zeros(2**16, np.int8)
    for service, own in ports.items():
        services[[*own]] = SERVICES.index(service)
    return services


TCP_SERVICES: Final = _table(TCP_PORTS)
"""(65536) what is expected on each port of TCP, a place in `SERVICES`."""
UDP_SERVICES: Final = _table(UDP_PORTS)
"""(65536) the same of UDP."""
