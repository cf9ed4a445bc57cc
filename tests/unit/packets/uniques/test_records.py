"""Records of DNS come in another order, in messages that say the same."""

import struct

import numpy as np
from scapy.layers.dns import DNS, DNSQR, DNSRR, dns_compress

from iotflowgen.packets.uniques.records import reordered

SERVERS = [f"ns{number}.example.org." for number in range(8)]


def answer():
    authority = [DNSRR(rrname="example.org.", type="NS", rdata=name) for name in SERVERS]
    glue = [DNSRR(rrname=n, type="A", rdata=f"192.0.2.{i}") for i, n in enumerate(SERVERS)]
    found = DNSRR(rrname="www.example.org.", type="A", rdata="198.51.100.7")
    return DNS(id=7, qr=1, qd=DNSQR(qname="www.example.org."), an=found, ns=authority, ar=glue)


def said(message):
    read = DNS(message)
    sections = ([*(getattr(read, name) or [])] for name in ("an", "ns", "ar"))
    return [[(bytes(r.rrname), r.type, r.rdata) for r in section] for section in sections]


def compressed(message):
    return bytes(dns_compress(message))


def test_the_same_records_in_another_order_as_long_as_before():
    message = compressed(answer())
    new = reordered(message, np.random.default_rng(0), with_answers=False)
    assert len(new) == len(message)
    assert new != message
    before, after = said(message), said(new)
    assert after[0] == before[0]
    assert [sorted(each, key=repr) for each in after] == [sorted(each, key=repr) for each in before]
    assert after[1] != before[1]


def test_what_cannot_be_read_stays():
    rng = np.random.default_rng(0)
    whole = compressed(answer())
    loop = struct.pack("!HHHHHH", 7, 0x8180, 0, 1, 0, 0) + b"\xc0\x0c" + bytes(10)
    for message in (b"", whole[:60], whole + b"x", loop, bytes(40)):
        assert reordered(message, rng, with_answers=True) == message
