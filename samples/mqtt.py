"""A small MQTT 3.1.1 client over TLS: as much of it as a plug, a camera and an app use."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from types import TracebackType

__all__ = ["MqttClient", "MqttError", "connect_tls"]

_CONNECT, _CONNACK, _PUBLISH, _PUBACK = 0x10, 0x20, 0x30, 0x40
_SUBSCRIBE, _SUBACK, _PINGREQ, _DISCONNECT = 0x82, 0x90, 0xC0, 0xE0
_TIMEOUT_S = 5.0


class MqttError(OSError):
    """The broker closed the connection or said no."""


def connect_tls(
    host: str, port: int, ca_file: str, *, tls13: bool, ipv6_lookups: bool
) -> ssl.SSLSocket:
    """Look `host` up, connect to it and shake hands, all with the machine's own stacks."""
    family = socket.AF_UNSPEC if ipv6_lookups else socket.AF_INET
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    context = ssl.create_default_context(cafile=ca_file)
    if not tls13:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection((str(found[0][4][0]), port), timeout=_TIMEOUT_S)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data


def _packet(head: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, low = divmod(rest, 128)
        length.append(low | (0x80 if rest else 0))
        if not rest:
            return bytes([head]) + bytes(length) + body


class MqttClient:
    """One session with a broker. `receive` waits for one message, no longer than it is told to."""

    def __init__(self, tls: ssl.SSLSocket, client_id: str, keepalive_s: int) -> None:
        self._tls = tls
        self._next_id = 1
        body = _text("MQTT") + struct.pack("!BBH", 4, 2, keepalive_s) + _text(client_id)
        tls.sendall(_packet(_CONNECT, body))
        head, answer = self._read()
        if head != _CONNACK or answer[1:2] != b"\0":
            raise MqttError("the broker refused the connection")

    def __enter__(self) -> MqttClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self._tls.sendall(_packet(_DISCONNECT, b""))
        self._tls.close()

    def subscribe(self, topic: str) -> None:
        """Ask for a topic at QoS 1 (the SUBACK is read by `receive`)."""
        self._tls.sendall(_packet(_SUBSCRIBE, self._id() + _text(topic) + b"\1"))

    def publish(self, topic: str, message: str, *, acknowledged: bool = False) -> None:
        """Send one message; with `acknowledged`, as QoS 1 (the PUBACK is read by `receive`)."""
        packet_id = self._id() if acknowledged else b""
        head = _PUBLISH | (0x02 if acknowledged else 0)
        self._tls.sendall(_packet(head, _text(topic) + packet_id + message.encode()))

    def ping(self) -> None:
        """Keep the session alive."""
        self._tls.sendall(_packet(_PINGREQ, b""))

    def receive(self, timeout_s: float) -> tuple[str, str] | None:
        """The topic and text of the next message; None for anything else, or after `timeout_s`."""
        self._tls.settimeout(max(timeout_s, 0.001))
        try:
            first = self._tls.recv(1)
        except TimeoutError:
            return None
        finally:
            self._tls.settimeout(_TIMEOUT_S)
        head, body = self._read(first)
        if head & 0xF0 != _PUBLISH:
            return None
        (length,) = struct.unpack_from("!H", body)
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if head & 0x06:
            self._tls.sendall(_packet(_PUBACK, rest[:2]))
            rest = rest[2:]
        return topic, rest.decode()

    def _id(self) -> bytes:
        self._next_id = self._next_id % 0xFFFF + 1
        return struct.pack("!H", self._next_id)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._tls.recv(count - len(data))
            if not more:
                raise MqttError("the broker closed the connection")
            data += more
        return data

    def _read(self, first: bytes | None = None) -> tuple[int, bytes]:
        if first is None:
            first = self._exactly(1)
        if not first:
            raise MqttError("the broker closed the connection")
        length = shift = 0
        while True:
            (byte,) = self._exactly(1)
            length |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return first[0], self._exactly(length)
