"""Ports that texts announce are those of the packets that come next."""

import re

import numpy as np
import pytest

from iotflowgen.packets.payload import Random
from iotflowgen.packets.rows import Rows
from iotflowgen.packets.transactions import Announced
from tests.unit.packets.datagrams.said import recorded, udp
from tests.unit.packets.shown import as_captured

CODECS = Random, Announced
SIP = 5060


def call(device, peer, *, says="m=audio {} RTP/AVP 8\r\n"):
    """Both ends announce where they listen, and media go in both ways."""
    texts = (f"INVITE sip:a SIP/2.0\r\n\r\nv=0\r\n{says}".format(port) for port in (device, peer))
    asks, answers = (text.encode() for text in texts)
    media = [udp(out, device, peer, bytes([0x80, 8]) + bytes(30), "ip") for out in (True, False)]
    return [
        udp(True, SIP, SIP, asks, "ip"),
        udp(False, SIP, SIP, answers, "ip"),
        *media,
        udp(True, device + 1, peer + 1, bytes([0x80, 200]) + bytes(30), "ip"),
    ]


def generated(recording, sources, ports, *, block=None, pieces=None):
    """Payloads; media have these ports of the device and of its peer, and RTCP those after them."""
    source = np.array(sources)
    flow, is_text = np.maximum(source % 5 - 1, 0), source % 5 < 2
    device, peer = (np.where(is_text, SIP, port + (source % 5 == 4)) for port in ports)
    outgoing = recording.outgoing[source]
    rows = Rows(
        number=np.arange(len(source)),
        session=np.zeros_like(source),
        flow=np.minimum(flow, 1) + (source % 5 == 4),
        time_ns=np.arange(len(source)) * 10**9,
        length=recording.length[source],
        outgoing=outgoing,
        src_port=np.where(outgoing, device, peer).astype(np.int32),
        dst_port=np.where(outgoing, peer, device).astype(np.int32),
        protocols=recording.protocols[source],
        source=source,
    )
    renderer = as_captured(recording, [*CODECS], 0)
    renderer.foresee(rows, np.zeros(len(rows), int) if pieces is None else np.array(pieces))
    size = block or len(rows)
    parts = [renderer.render(rows.take(slice(i, i + size))) for i in range(0, len(rows), size)]
    at = recording.layers.payload[source].tolist()
    frames = [frame for part in parts for frame in part.tolist()]
    return [frame[first:] for frame, first in zip(frames, at, strict=True)]


def announced(payload):
    return [int(each) for each in re.findall(rb"[0-9]{4,5}", payload.partition(b"v=0")[2])]


@pytest.mark.parametrize("block", [1, 3, None])
def test_both_ends_announce_the_ports_that_media_have(block):
    recording, _ = recorded(CODECS, call(40_000, 50_000))
    texts = generated(recording, range(5), (41_234, 51_236), block=block)[:2]
    assert [announced(each) for each in texts] == [[41_234], [51_236]]


def test_media_of_another_capture_are_announced_too():
    recording, _ = recorded(CODECS, call(40_000, 50_000), call(42_000, 52_000))
    texts = generated(recording, [0, 1, 7, 8, 9], (41_234, 51_236))[:2]
    assert [announced(each) for each in texts] == [[41_234], [51_236]]


def test_rtcp_has_the_next_port_whether_it_comes_or_not():
    says = "Transport: RTP/AVP;unicast;client_port=40000-40001;server_port=50000-50001"
    for until in (4, 5):
        recording, _ = recorded(CODECS, call(40_000, 50_000, says=says)[:until])
        text = generated(recording, range(4), (41_234, 51_236))[0]
        assert announced(text) == [41_234, 41_235, 51_236, 51_237]


def test_what_is_used_in_no_later_packet_of_the_piece_stays():
    recording, _ = recorded(CODECS, call(40_000, 50_000))
    for sources, pieces in (([0, 1], [0, 0]), (range(5), [0, 0, 1, 1, 1])):
        texts = generated(recording, sources, (41_234, 51_236), pieces=pieces)[:2]
        assert [announced(each) for each in texts] == [[40_000], [50_000]]
    texts = generated(recording, range(5), (999, 51_236))[:2]
    assert [announced(each) for each in texts] == [[40_000], [51_236]]
