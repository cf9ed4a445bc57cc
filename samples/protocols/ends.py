"""Programs of the devices and of those who talk to them; each is run in a namespace of its own.

    ends.py ROLE ADDRESS SEED

`ADDRESS` is the other end's, or for servers their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import sys
import time
from typing import Any

_PAUSE = 0.15, 0.6


def _pauses(rng: random.Random, seconds: float = 7) -> Any:  # noqa: ANN401
    """Numbers, each after a random pause, for some seconds."""
    end, number = time.monotonic() + seconds * rng.uniform(0.7, 1.3), 0
    while time.monotonic() < end:
        yield number
        number += 1
        time.sleep(rng.uniform(*_PAUSE))


def mqtt(address: str, rng: random.Random) -> None:
    """A plug that tells its state, and obeys, over MQTT without TLS."""
    from paho.mqtt import client

    plug = client.Client(client.CallbackAPIVersion.VERSION2, client_id="plug-3F2A")
    plug.username_pw_set("plug", "green-lamp-7")
    plug.will_set("tele/plug/LWT", "Offline", retain=True)
    plug.connect(address, 1883, keepalive=3)
    plug.loop_start()
    plug.subscribe([("cmnd/plug/#", 1), ("stat/all", 0)])
    for number in _pauses(rng):
        power = round(rng.uniform(3, 60), 1)
        state = {"Uptime": number, "POWER": rng.choice(["ON", "OFF"]), "ENERGY": {"Power": power}}
        plug.publish("tele/plug/STATE", json.dumps(state), qos=number % 3 > 0)
    plug.disconnect()
    plug.loop_stop()


def mqtt_owner(address: str, rng: random.Random) -> None:
    """An owner's program that switches the plug."""
    from paho.mqtt import client

    owner = client.Client(client.CallbackAPIVersion.VERSION2)
    owner.connect(address, 1883)
    owner.loop_start()
    for number in _pauses(rng):
        if number % 4 == 1:
            owner.publish("cmnd/plug/POWER", "TOGGLE", qos=1)
    owner.loop_stop()


def coap(address: str, rng: random.Random) -> None:
    """A sensor that serves its readings over CoAP."""
    from aiocoap import CHANGED, Context, Message, resource

    class Reading(resource.ObservableResource):  # type: ignore[misc]
        async def render_get(self, request: Any) -> Any:  # noqa: ANN401, ARG002
            return Message(payload=b"%.1f" % rng.gauss(21, 1))

        async def render_put(self, request: Any) -> Any:  # noqa: ANN401, ARG002
            return Message(code=CHANGED)

    async def serve() -> None:
        reading, site = Reading(), resource.Site()
        site.add_resource(["temperature"], reading)
        site.add_resource(["limit"], reading)
        await Context.create_server_context(site, bind=(address, 5683))
        while True:
            await asyncio.sleep(rng.uniform(0.5, 1.2))
            reading.updated_state()

    asyncio.run(serve())


def coap_reader(address: str, rng: random.Random) -> None:
    """Who reads the sensor, and watches it."""
    from aiocoap import GET, PUT, Context, Message

    host = f"[{address}]" if ":" in address else address

    async def read() -> None:
        context = await Context.create_client_context()
        watched = context.request(Message(code=GET, uri=f"coap://{host}/temperature", observe=0))
        await watched.response
        for number in range(rng.randint(14, 22)):
            code, path, body = (GET, "temperature", b"")
            if number % 4 == 3:
                code, path, body = (PUT, "limit", b"%d" % rng.randint(15, 30))
            asked = Message(code=code, uri=f"coap://{host}/{path}", payload=body)
            await context.request(asked).response
            await asyncio.sleep(rng.uniform(*_PAUSE))
        watched.observation.cancel()
        await context.shutdown()

    asyncio.run(read())


def modbus(address: str, rng: random.Random) -> None:
    """A meter with registers, over Modbus/TCP."""
    from pymodbus.datastore import (
        ModbusDeviceContext,
        ModbusSequentialDataBlock,
        ModbusServerContext,
    )
    from pymodbus.server import StartTcpServer

    values = [rng.randrange(5000) for _ in range(100)]
    block = ModbusSequentialDataBlock(1, values)
    meter = ModbusDeviceContext(hr=block, ir=block)
    StartTcpServer(ModbusServerContext(devices=meter, single=True), address=(address, 502))


def modbus_master(address: str, rng: random.Random) -> None:
    """Who polls the meter."""
    from pymodbus.client import ModbusTcpClient

    with ModbusTcpClient(address, port=502) as master:
        for number in _pauses(rng):
            if number % 5 == 4:
                master.write_register(7, rng.randrange(100))
            elif number % 2:
                master.read_input_registers(10, count=rng.choice([1, 4, 10]))
            else:
                master.read_holding_registers(0, count=6)


def rtsp(address: str, rng: random.Random) -> None:  # noqa: ARG001
    """A camera's microphone over RTSP and RTP; needs the system's Python with gi."""
    import gi

    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)
    server = GstRtspServer.RTSPServer(address=address, service="554")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        "( audiotestsrc is-live=true wave=pink-noise samplesperbuffer=640 "
        "! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay0 )"
    )
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    GLib.MainLoop().run()


def quic(address: str, rng: random.Random) -> None:  # noqa: ARG001
    """A hub that answers over QUIC; its certificate lies in the working directory."""
    from aioquic.asyncio import serve
    from aioquic.quic.configuration import QuicConfiguration

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read()
        writer.write(asked[::-1] * 3)
        writer.write_eof()

    async def run() -> None:
        settings = QuicConfiguration(is_client=False, alpn_protocols=["hub"])
        settings.load_cert_chain("server.pem", "server.key")
        await serve(
            *(address, 8443),
            configuration=settings,
            stream_handler=lambda *ends: asyncio.ensure_future(echo(*ends)),
        )
        await asyncio.Event().wait()

    asyncio.run(run())


def quic_client(address: str, rng: random.Random) -> None:
    """Who asks the hub: three connections, one after another."""
    import ssl

    from aioquic.asyncio import connect
    from aioquic.quic.configuration import QuicConfiguration

    async def ask() -> None:
        for _ in range(3):
            settings = QuicConfiguration(
                alpn_protocols=["hub"], verify_mode=ssl.CERT_NONE, server_name="hub.example"
            )
            async with connect(address, 8443, configuration=settings) as connection:
                for _ in range(rng.randint(4, 8)):
                    reader, writer = await connection.create_stream()
                    writer.write(rng.randbytes(rng.randint(20, 200)))
                    writer.write_eof()
                    await reader.read()
                    await asyncio.sleep(rng.uniform(*_PAUSE))

    asyncio.run(ask())


def syslog(address: str, rng: random.Random) -> None:
    """A device that logs to where nobody listens, so that ICMP says so."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as log:
        for number in _pauses(rng):
            message = f"<14>sensor: reading {number} took {rng.randint(3, 90)} ms"
            with contextlib.suppress(OSError):
                log.sendto(message.encode(), (address, 514))


ROLES = {
    each.__name__: each
    for each in (
        *(mqtt, mqtt_owner, coap, coap_reader, modbus, modbus_master, rtsp, quic, quic_client),
        syslog,
    )
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](sys.argv[2], random.Random(sys.argv[3]))
