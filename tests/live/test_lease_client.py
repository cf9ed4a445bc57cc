"""A decoy as a client of DHCP, against a server that says what it is told to."""

import struct
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iotflowgen.live import Composer
from iotflowgen.live.home import Home, one_decoy
from iotflowgen.live.leasing.client import Client
from iotflowgen.live.leasing.messages import (
    ACK,
    DECLINE,
    DISCOVER,
    EVERYBODY,
    NAK,
    OFFER,
    RELEASE,
    REQUEST,
    Question,
    message_in,
    read_answer,
    write_question,
)
from iotflowgen.live.leasing.probing import Probing
from iotflowgen.live.leasing.process import Offers
from iotflowgen.live.leasing.settling import Claim, Means
from iotflowgen.wire import Frames, find_layers, set_checksums
from iotflowgen.wire.messages import dhcp_options

MAC = bytes.fromhex("5ecf7f112233")
SERVER, SERVER_MAC = IPv4Address("192.168.20.1"), bytes.fromhex("02005e100001")
ADDRESS = IPv4Address("192.168.20.100")
SECOND = 10**9
LEASE = {
    1: b"\xff\xff\xff\0",
    3: SERVER.packed,
    6: bytes([9, 9, 9, 9]),
    51: struct.pack("!I", 3600),
    54: SERVER.packed,
}


@pytest.fixture(scope="module")
def how(models):
    """How the sample plug asks."""
    home = one_decoy(models / "plug.model", {"address": "dhcp", "mac": MAC.hex(":")}, {})
    return Composer(home, is_live=True).told()["asking"][0]


def message(kind, xid, options=LEASE, address=ADDRESS):
    """What a server says."""
    head = struct.pack("!BBBB4s4x4x4s8x6s202x", 2, 1, 6, 0, xid, address.packed, MAC)
    said = b"".join(
        bytes([code, len(v)]) + v for code, v in ({53: bytes([kind])} | options).items()
    )
    return head + b"\x63\x82\x53\x63" + said + b"\xff"


class Said:
    """A frame of a client, read."""

    def __init__(self, frame):
        self.frame, self.ends = frame, (frame[:6], frame[26:30], frame[30:34])
        self.message = frame[42:]
        self.options = {
            code: self.message[at : at + n] for code, at, n in dhcp_options(self.message)
        }
        self.kind = self.options[53][0]
        self.xid, self.secs = self.message[4:8], int.from_bytes(self.message[8:10])


class Network:
    """One client, a clock, and all that is said."""

    def __init__(self, how, pace=1.0, taken=(), **other):
        self.said, self.told, self.now = [], [], 0
        offers = Offers(IPv4Network("192.168.20.0/24"), frozenset(map(IPv4Address, taken)))
        means = Means(MAC, how | other, pace, self.hear, self.told.append)
        self.client = Client(means, offers.complaint)
        self.client.begin(0)

    def hear(self, frame):
        if frame[12:14] == b"\x08\x00":
            self.said.append((self.now / SECOND, Said(frame)))

    @property
    def last(self):
        return self.said[-1][1]

    def wait(self, seconds):
        end = self.now + int(seconds * SECOND)
        while self.client.due_ns is not None and self.client.due_ns <= end:
            self.now = self.client.due_ns
            self.client.act(self.now)
        self.now = end

    def answer(self, kind, xid=None, **other):
        self.client.hear(message(kind, xid or self.last.xid, **other), SERVER_MAC, self.now)

    def lease(self):
        self.answer(OFFER)
        self.wait(1)
        self.answer(ACK)
        self.wait(2)
        assert "lease" in self.told[-1]
        return self


def test_who_is_not_answered_asks_again_ever_later_and_says_so_once(how):
    network = Network(how)
    network.wait(330)
    times = [time for time, _ in network.said]
    gaps = [b - a for a, b in pairwise(times)]
    assert len(gaps) >= 7
    for gap, usual in zip(gaps, (4, 8, 16, 32, 64, 64, 64), strict=False):
        assert abs(gap - usual) <= 1
    assert {said.kind for _, said in network.said} == {DISCOVER}
    assert len({said.xid for _, said in network.said}) == 1
    assert [said.secs for _, said in network.said] == [int(time) for time in times]
    assert network.told == [{"complaint": "no DHCP server answers; it goes on asking"}]


def test_an_offer_is_requested_from_who_made_it_and_used(how):
    network = Network(how).lease()
    assert [said.kind for _, said in network.said] == [DISCOVER, REQUEST]
    assert network.last.options[50] == ADDRESS.packed
    assert network.last.options[54] == SERVER.packed
    assert network.last.ends == (EVERYBODY[0], bytes(4), EVERYBODY[1])
    (told,) = network.told
    assert told["lease"] == {
        "address": "192.168.20.100",
        "server": "192.168.20.1",
        "seconds": 3600,
        "subnet": "192.168.20.0/24",
        "gateway": "192.168.20.1",
        "gateway_mac": "02:00:5e:10:00:01",
        "resolver": "9.9.9.9",
    }


@pytest.mark.parametrize("pace", [1, 60])
def test_a_lease_is_renewed_at_t1_of_its_server_at_t2_of_any_and_then_lost(how, pace):
    network = Network(how, pace).lease()
    network.wait(1800 / pace)
    renewal = network.last
    assert renewal.ends == (SERVER_MAC, ADDRESS.packed, SERVER.packed)
    assert renewal.message[12:16] == ADDRESS.packed
    assert renewal.kind == REQUEST
    assert not {50, 54} & renewal.options.keys()
    network.answer(ACK)
    before = len(network.said)
    network.wait(1600 / pace)
    assert len(network.said) == before
    network.wait(2200 / pace)
    kinds = [said.ends[0] for _, said in network.said[before:] if said.kind == REQUEST]
    # the server is asked some times, then everybody
    assert kinds == sorted(kinds)
    assert {*kinds} == {SERVER_MAC, EVERYBODY[0]}
    assert "its lease is over" in network.told[1]["lost"]
    assert network.last.kind == DISCOVER


def test_a_refused_lease_is_lost_and_another_one_asked_for(how):
    network = Network(how).lease()
    network.wait(1800)
    network.answer(NAK, options={54: SERVER.packed, 56: b"wrong\nnetwork"})
    assert network.told[1:] == [
        {"lost": "192.168.20.1 refuses its address (wrong?network); asking for another"}
    ]
    network.wait(2)
    assert network.last.kind == DISCOVER
    network.lease()


def test_who_is_refused_again_and_again_asks_ever_later(how):
    network, waits = Network(how), []
    for _ in range(8):
        network.answer(OFFER)
        network.wait(1)
        network.answer(NAK, options={54: SERVER.packed})
        waits.append((network.client.due_ns - network.now) / SECOND)
        network.wait(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 32, 64, 64]
    assert network.told[0] == {"complaint": "192.168.20.1 refuses its address; asking for another"}


RIVAL = bytes.fromhex("0211223344aa")


def conflict(address=ADDRESS, sender=RIVAL):
    body = b"\0\1\x08\0\6\4\0\2" + sender + address.packed + MAC + bytes(4)
    return MAC + sender + b"\x08\x06" + body


def test_an_address_that_somebody_has_is_declined(how):
    network = Network(how)
    network.answer(OFFER)
    network.wait(1)
    network.answer(ACK)
    network.client.act(network.now)
    network.client.hear_arp(conflict(), network.now)
    decline = network.last
    assert decline.kind == DECLINE
    assert {**decline.options} == {
        53: bytes([DECLINE]),
        50: ADDRESS.packed,
        54: SERVER.packed,
        61: b"\1" + MAC,
    }
    assert network.told == [{"lost": "02:11:22:33:44:aa has 192.168.20.100; asking for another"}]
    network.wait(9)
    assert network.last is decline
    network.wait(2)
    assert network.last.kind == DISCOVER


BAD = [
    ({"options": LEASE | {51: bytes(4)}}, "192.168.20.100 would be leased for 0 s"),
    ({"options": LEASE | {51: b"\0\1"}}, "option 51 has 2 bytes instead of 4"),
    ({"options": LEASE | {1: b"\xff\0\xff\0"}}, "255.0.255.0 is no subnet mask"),
    ({"options": LEASE | {6: b"\1\2\3"}}, "option 6 has 3 bytes, which are no addresses"),
    ({"options": {51: LEASE[51]}}, "it does not say from whom it is (option 54)"),
    ({"address": IPv4Address("192.168.21.5")}, "192.168.21.5 is no host of 192.168.20.0/24"),
    ({"address": IPv4Address("192.168.20.255")}, "192.168.20.255 is no host of 192.168.20.0/24"),
    ({"address": IPv4Address("8.8.8.8")}, "8.8.8.8 is a public address"),
    ({"address": IPv4Address("192.168.20.7")}, "somebody else has 192.168.20.7"),
    ({"options": LEASE | {54: b"\x08\x08\x08\x08"}}, "its server has a public address, 8.8.8.8"),
    ({"xid": b"what"}, "a DHCP server answers what was not asked (another transaction id)"),
]  # fmt: skip


@pytest.mark.parametrize(("other", "why"), BAD)
def test_what_is_wrong_with_an_answer_is_said_once_and_another_one_counts(how, other, why):
    network = Network(how, taken=["192.168.20.7"])
    for _ in range(2):
        network.answer(OFFER, **other)
    assert len(network.told) == 1
    assert network.told[0]["complaint"].endswith(why)
    network.wait(1)
    assert [said.kind for _, said in network.said] == [DISCOVER]
    network.lease()


def test_an_answer_that_is_cut_short_is_said_to_be(how):
    network = Network(how)
    whole = message(OFFER, network.last.xid)
    for end in (100, 239, len(whole) - 3):
        network.client.hear(whole[:end], SERVER_MAC, 0)
    assert [told["complaint"].partition("count: ")[2] for told in network.told] == [
        "it is no message of a DHCP server, or cut short",
        "option 54 is cut short",
    ]


def test_an_address_is_given_back_only_by_who_was_seen_to(how):
    network = Network(how).lease()
    network.client.end(network.now)
    assert network.last.kind == REQUEST
    frames = how["frames"] | {"release": how["frames"]["select"]}
    network = Network(how, frames=frames).lease()
    network.client.end(network.now)
    assert network.last.kind == RELEASE
    assert network.last.ends == (SERVER_MAC, ADDRESS.packed, SERVER.packed)
    assert network.client.due_ns is None


def test_who_asks_for_its_address_again_after_a_power_cut_does(how):
    network = Network(how, reboots=True).lease()
    network.client.end(network.now)
    network.client.begin(network.now)
    assert network.last.kind == REQUEST
    assert network.last.options[50] == ADDRESS.packed
    assert 54 not in network.last.options
    assert network.last.message[12:16] == bytes(4)


def test_a_message_with_nothing_new_is_the_captured_one(how):
    for kind, code in (("discover", DISCOVER), ("select", REQUEST)):
        captured = bytes.fromhex(how["frames"][kind])
        frames = Frames.of([captured])
        set_checksums(frames, find_layers(frames))
        number, xid = int.from_bytes(captured[18:20]), captured[46:50]
        asked = Question(kind=code, xid=xid, secs=0, number=number, options={})
        assert write_question(captured, asked) == frames[0]


@given(st.binary(max_size=400), st.integers(0, 300))
def test_any_bytes_are_read_or_refused(said, at):
    whole = bytearray(message(ACK, b"xids"))
    whole[at : at + len(said)] = said
    for each in (said, bytes(whole)):
        try:
            found = read_answer(each)
        except ValueError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert 0 <= found.renewal_s <= found.rebinding_s <= found.lease_s
        frame = MAC + SERVER_MAC + b"\x08\x00" + each
        message_in(frame)
        message_in(frame[:12] + b"\x08\x00\x45" + bytes(8) + b"\x11" + each)


@given(
    st.dictionaries(
        st.sampled_from([3, 6, 54]), st.lists(st.binary(min_size=4, max_size=4), min_size=1)
    ),
    st.integers(0, 32),
    st.integers(1, 2**32 - 1),
)
def test_what_servers_say_is_read(lists, bits, lease_s):
    mask = ((2**32 - 1) << (32 - bits)) & (2**32 - 1)
    options = {code: b"".join(each)[:252] for code, each in lists.items()}
    options |= {1: mask.to_bytes(4), 51: lease_s.to_bytes(4), 54: SERVER.packed}
    found = read_answer(message(OFFER, b"xids", options=options))
    assert (found.kind, found.xid, found.address) == (OFFER, b"xids", ADDRESS)
    assert found.subnet == IPv4Network((ADDRESS, bits), strict=False)
    assert found.lease_s == lease_s
    for code, value in ((3, found.router), (6, found.resolver)):
        first = IPv4Address(options.get(code, bytes(4))[:4])
        assert value == (None if first.is_unspecified else first)


def test_options_in_fields_for_names_are_read():
    whole = bytearray(message(OFFER, b"xids", options={52: b"\3", 54: SERVER.packed}))
    whole[108:115] = bytes([51, 4, 0, 0, 1, 0, 255])
    whole[44:51] = bytes([3, 4, *SERVER.packed, 255])
    found = read_answer(bytes(whole))
    assert (found.lease_s, found.router) == (256, SERVER)


def test_a_fixed_address_is_probed_for_as_the_rfc_says_where_the_device_does_not():
    never = {"size": 42, "count": 0, "apart_ns": 0, "wait_ns": 0}
    sent, told, now = [], [], 0
    claim = Claim(
        Means(MAC, {"probes": never}, 1.0, lambda f: sent.append((now, f)), told.append), ADDRESS
    )
    claim.begin(0)
    while claim.due_ns is not None:
        now = claim.due_ns
        claim.act(now)
    times = [time / SECOND for time, _ in sent]
    assert 0 <= times[0] <= 1
    assert all(1 <= b - a <= 2 for a, b in pairwise(times))
    assert len(sent) == 3
    assert now - sent[-1][0] == 2 * SECOND
    assert told == [{"free": True}]
    asked = b"\0\1\x08\0\6\4\0\1" + MAC + bytes(10) + ADDRESS.packed
    assert {frame for _, frame in sent} == {b"\xff" * 6 + MAC + b"\x08\x06" + asked}


@pytest.mark.parametrize(
    ("frame", "has"),
    [
        (conflict(), True),
        (conflict(sender=MAC), False),
        (conflict(address=IPv4Address("192.168.20.9")), False),
        # somebody else probes for it
        (conflict()[:20] + b"\0\1" + RIVAL + bytes(10) + ADDRESS.packed, True),
        # asks for it
        (conflict(address=IPv4Address("192.168.20.9"))[:38] + ADDRESS.packed, False),
        (b"", False),
    ],
)  # fmt: skip
def test_who_has_an_address_is_known_by_arp(frame, has):
    how = {"size": 42, "count": 1, "apart_ns": 0, "wait_ns": 0}
    probing = Probing(MAC, ADDRESS, how, is_leased=True)
    assert bool(probing.rival(frame)) == has


def of_names(composer):
    frames = composer.until(60 * SECOND).frames.tolist()
    ends = [(frame[26:30], frame[30:34], frame[34:36], frame[36:38]) for frame in frames]
    return frames, [i for i, each in enumerate(ends) if b"\0\x35" in each[2:]]


def test_names_are_asked_of_the_networks_resolver(models):
    decoy = {"name": "plug", "model": models / "plug.model", "address": "192.168.20.31"}

    def composed(**network):
        said = {"network": {"subnet": "192.168.20.0/24", "gateway": "192.168.20.1", **network}}
        composer = Composer(Home.model_validate({**said, "decoys": [decoy]}))
        composer.switch_on(0)
        return of_names(composer)

    frames, names = composed()
    others, same = composed(resolver="192.168.20.53")
    assert names == same
    assert len(names) > 3
    resolver = bytes([192, 168, 20, 53])
    for i, (frame, other) in enumerate(zip(frames, others, strict=True)):
        if i not in names:
            assert frame == other
        else:
            assert resolver in (other[26:30], other[30:34])
            assert SERVER.packed not in (other[26:30], other[30:34])
    summed = Frames.of(others)
    set_checksums(summed, find_layers(summed))
    assert summed.tolist() == others
