"""Who takes part in a recording: the two devices, their clouds, the router and the phone.

Everything here is invented: the cloud addresses come from the documentation ranges of RFC 5737,
the names end in `.example` (RFC 2606), and every MAC has the "locally administered" bit set.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CAMERA", "DNS_UPSTREAM", "PLUG", "PROFILES", "Peer", "Profile"]

DNS_UPSTREAM = "198.51.100.53"


@dataclass(frozen=True)
class Peer:
    """One server in the cloud: its name, its address, and how far away it is."""

    name: str
    address: str
    delay_ms: float


@dataclass(frozen=True)
class Profile:
    """One device and the home it stands in."""

    kind: str
    model: str
    hostname: str
    mac: str
    vendor_class: str
    subnet: str
    """First three bytes of the home network, as text."""
    router_mac: str
    phone_mac: str
    time: tuple[Peer, ...]
    firmware: Peer
    broker: Peer
    media: Peer | None
    key_type: str
    """Key of the cloud's certificate, as `openssl req -newkey` spells it."""
    tls13: bool
    ipv6_lookups: bool
    """Ask for AAAA beside A, as a full resolver does and a microcontroller does not."""
    arp_probe: bool
    """Probe the offered address before taking it, and announce it afterwards."""
    keepalive_s: float
    telemetry_s: float
    sysctls: dict[str, str] = field(default_factory=dict)
    """How the device's kernel is tuned; this is what makes its TCP look like a small stack."""

    @property
    def router(self) -> str:
        """The router's address at home."""
        return f"{self.subnet}.1"

    @property
    def phone(self) -> str:
        """The phone's address at home."""
        return f"{self.subnet}.20"

    @property
    def device_type(self) -> str:
        """What UPnP calls such a device."""
        return {"plug": "urn:schemas-upnp-org:device:BinaryLight:1"}.get(
            self.kind, "urn:schemas-upnp-org:device:DigitalSecurityCamera:1"
        )

    @property
    def uuid(self) -> str:
        """A UUID made from the MAC, as UPnP devices do."""
        return f"2f402f80-da50-11e1-9b23-{self.mac.replace(':', '')}"

    @property
    def peers(self) -> tuple[Peer, ...]:
        """All servers of the cloud but its DNS."""
        media = (self.media,) if self.media else ()
        return (*self.time, self.firmware, self.broker, *media)


PLUG = Profile(
    kind="plug",
    model="SP-110",
    hostname="plug-3F2A",
    mac="5e:cf:7f:51:3f:2a",
    vendor_class="smartplug-rtos 2.4",
    subnet="192.168.31",
    router_mac="52:c7:bf:20:6d:01",
    phone_mac="da:a1:19:7c:42:e8",
    time=(Peer("time.brightplug.example", "198.51.100.23", 14.0),),
    firmware=Peer("fw.brightplug.example", "203.0.113.40", 22.0),
    broker=Peer("mqtt.brightplug.example", "203.0.113.88", 31.0),
    media=None,
    key_type="rsa:2048",
    tls13=False,
    ipv6_lookups=False,
    arp_probe=True,
    keepalive_s=4.0,
    telemetry_s=5.0,
    sysctls={
        "net.ipv4.ip_default_ttl": "128",
        "net.ipv4.ip_local_port_range": "49152 65535",
        "net.ipv4.tcp_rmem": "4096 5840 5840",
        "net.ipv4.tcp_sack": "0",
        "net.ipv4.tcp_timestamps": "0",
        "net.ipv4.tcp_window_scaling": "0",
    },
)

CAMERA = Profile(
    kind="camera",
    model="HC-2",
    hostname="hawkcam-B71C",
    mac="46:19:b6:0a:b7:1c",
    vendor_class="udhcp 1.35.0",
    subnet="192.168.77",
    router_mac="52:c7:bf:9a:13:5c",
    phone_mac="da:a1:19:05:b3:9f",
    time=(
        Peer("0.time.example", "198.51.100.123", 9.0),
        Peer("1.time.example", "198.51.100.124", 26.0),
    ),
    firmware=Peer("api.hawkcam.example", "203.0.113.10", 18.0),
    broker=Peer("events.hawkcam.example", "203.0.113.61", 24.0),
    media=Peer("media.hawkcam.example", "198.51.100.200", 38.0),
    key_type="ec",
    tls13=True,
    ipv6_lookups=True,
    arp_probe=False,
    keepalive_s=5.0,
    telemetry_s=4.0,
)

PROFILES = {profile.kind: profile for profile in (PLUG, CAMERA)}
