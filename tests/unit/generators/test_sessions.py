from collections import defaultdict
from dataclasses import replace
from itertools import islice, pairwise

import numpy as np
import pytest

from iotflowgen.generators import first_packets, first_seconds, shifted_to, spaced
from iotflowgen.generators.ports import Connections
from iotflowgen.generators.redrawn import Order
from iotflowgen.generators.sessions import Sessions, SessionsConfig
from iotflowgen.packets.fuzz.ports import claimed_port
from iotflowgen.traffic import STATES, Trace, protocol_mask

TCP = protocol_mask(["ip", "tcp"])
DNS = protocol_mask(["ip", "udp", "dns"])
ORDERED = ("length", "outgoing", "src_port", "dst_port", "protocols")


def recorded(seed, rng, length, outgoing, device, peer, protocols):
    """A capture of packets between ports, 10 to 20 ms apart."""
    gaps = np.round(rng.uniform(10, 20, len(length))).astype(np.int64) * 10**6
    source, destination = (
        np.where(outgoing, *pair).astype(np.int32) for pair in ((device, peer), (peer, device))
    )
    return Trace(
        name=f"{seed}.pcap",
        time_ns=np.cumsum(gaps) - gaps,
        length=np.array(length, dtype=np.int32),
        outgoing=np.array(outgoing, dtype=bool),
        src_port=source,
        dst_port=destination,
        protocols=np.array(protocols, dtype=np.uint16),
        tcp_payload=np.zeros(len(length), dtype=np.int32),
    )


def capture(seed, *, repeats=5):
    """A look-up, then as many requests and answers over a connection, then a goodbye."""
    rng = np.random.default_rng(seed)
    first = int(rng.integers(40_000, 50_000))
    length = [74, 90, *[60, 70] * repeats, 54]
    outgoing = [True, False, *[True, False] * repeats, True]
    device = [int(rng.integers(33_000, 60_000))] * 2
    device += [p for i in range(repeats) for p in [first + i] * 2] + [first + repeats - 1]
    peer = [53] * 2 + [443] * (2 * repeats + 1)
    protocols = [DNS] * 2 + [TCP] * (len(length) - 2)
    return recorded(seed, rng, length, outgoing, device, peer, protocols)


def fitted(traces, **settings):
    return Sessions(SessionsConfig(window=5, **settings)).fit(traces)


def drawn(traces, n=200, seed=0, **settings):
    return fitted(traces, **settings).sessions(n, np.random.default_rng(seed))


def device_ports(trace):
    return np.where(trace.outgoing, trace.src_port, trace.dst_port)


def test_sessions_run_from_the_first_packet_of_captures_to_the_last():
    sessions = drawn([capture(i) for i in range(6)])
    assert {int(session.length[0]) for session in sessions} == {74}
    assert {int(session.time_ns[0]) for session in sessions} == {0}
    assert np.mean([session.length[-1] == 54 for session in sessions]) > 0.9


def test_sessions_are_as_long_as_captures():
    # nothing but the packets so far tells how often the exchange has been repeated
    captures = [capture(i, repeats=repeats) for i, repeats in enumerate([20, 21, 22, 23] * 2)]
    sizes = [len(session) for session in drawn(captures, order=2)]
    # a session may have any number of connections fewer than captures, but one more only
    assert np.mean(sizes) == pytest.approx(np.mean([len(c) for c in captures]), rel=0.15)
    forgetful = [len(s) for s in drawn(captures, order=2, reach=1e6)]
    assert np.std(forgetful) > 1.4 * np.std(sizes)


def test_ports_count_on_where_those_of_captures_do():
    captures = [capture(i) for i in range(8)]
    counting, near = [], set()
    for session in drawn(captures):
        ports = np.unique(device_ports(session)[session.dst_port == 443])
        counting += np.diff(ports).tolist()
        near.add(int(ports[0]))
    assert np.mean(np.array(counting) == 1) > 0.9
    opened = {int(device_ports(c)[2]) for c in captures}
    assert len(near) > 150
    assert len(near & opened) < 10
    assert min(opened) - 3000 < min(near) < max(near) < max(opened) + 3000


def test_a_connection_keeps_its_port():
    kept = []
    for session in drawn([capture(i) for i in range(8)], n=50):
        ports = device_ports(session)
        kept += (ports[1:] == ports[:-1])[~session.outgoing[1:]].tolist()
    assert np.mean(kept) > 0.95


ANSWERED = [(74, True), (74, False), (66, True), (200, True), (66, False), (300, False)]
ANSWERED += [(66, True), (66, False)]
REFUSED = [(74, True)] * 4


def interleaved(seed, *, ephemeral=False):
    """Three connections at once, one of them never answered, in an order of each capture's own."""
    rng = np.random.default_rng(seed)
    said = [ANSWERED, ANSWERED, REFUSED]
    turns = rng.permutation(np.repeat(range(3), [len(each) for each in said]))
    left = [iter(each) for each in said]
    length, outgoing = np.array([next(left[turn]) for turn in turns]).T
    device = int(rng.integers(40_000, 50_000)) + turns
    peer = int(rng.integers(51_000, 60_000)) + turns if ephemeral else np.full(len(turns), 443)
    return recorded(seed, rng, length, outgoing, device, peer, [TCP] * len(turns))


def conversations(session):
    """Lengths and directions of packets between the same two ports, in their order."""
    pairs = defaultdict(list)
    columns = device_ports(session), peer_ports(session), session.length, session.outgoing
    for device, peer, *said in zip(*(column.tolist() for column in columns), strict=True):
        pairs[device, peer].append(tuple(said))
    return list(pairs.values())


@pytest.mark.parametrize("slots", [1, 2, 8])
@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_connection_goes_on_as_one_of_the_captures_whatever_stands_between(slots, ephemeral):
    captures = [interleaved(i, ephemeral=ephemeral) for i in range(8)]
    ports = {"recurrence": 0.6, "ephemeral": "fresh", "slots": slots}
    sessions = drawn(captures, n=100, redraw=["times"], ports=ports)
    found = [said for session in sessions for said in conversations(session)]
    # but where nothing fits a walk
    as_captured = [said in (ANSWERED[: len(said)], REFUSED[: len(said)]) for said in found]
    assert np.mean(as_captured) > 0.99
    assert np.mean([len(said) >= 4 for said in found]) > 0.5


def test_the_connections_of_a_stream_go_on_as_those_of_the_captures():
    stream = fitted([interleaved(i) for i in range(8)], redraw=["times"]).stream(
        np.random.default_rng(0)
    )
    shown = {*pairwise(ANSWERED), *pairwise(REFUSED)}
    found = [said for piece in first_packets(stream, 50_000) for said in conversations(piece)]
    # ports may come again
    as_captured = [
        said[0] == ANSWERED[0] and {p for p in pairwise(said) if p[1] != ANSWERED[0]} <= shown
        for said in found
    ]
    assert np.mean(as_captured) > 0.99


def repeated(sessions, captures, *names):
    """Whether packets are in these columns what the captured packets are that they repeat."""
    return all(
        np.array_equal(
            getattr(session, name),
            np.concatenate([getattr(c, name) for c in captures])[session.source],
        )
        for session in sessions
        for name in names
    )


def test_a_packet_repeats_a_captured_one_of_its_direction_and_protocols():
    captures = [capture(i) for i in range(3)] + [interleaved(i) for i in range(3)]
    # also with a capture before them that has no packets, which counts for none
    generator = fitted([captures[0][:0], *captures])
    rng = np.random.default_rng(0)
    pieces = [*generator.sessions(50, rng), *islice(generator.stream(rng), 2)]
    assert repeated(pieces, captures, "outgoing", "protocols")
    as_captured = drawn(captures, n=50, redraw=["times"], ports={"ephemeral": "recur"})
    assert repeated(as_captured, captures, "outgoing", "protocols", "length")


def one_each(flow, *columns):
    """Whether each flow has one of what stands in the columns."""
    is_flow = flow >= 0
    kinds = np.unique(np.stack([flow, *columns])[:, is_flow], axis=1)
    return len(np.unique(flow[is_flow])) == kinds.shape[1]


@pytest.mark.parametrize("ephemeral", [False, True])
def test_a_flow_is_between_the_same_two_ports(ephemeral):
    captures = [interleaved(i, ephemeral=ephemeral) for i in range(8)]
    for session in drawn(captures, n=50):
        assert (session.flow >= 0).all()
        assert one_each(session.flow, device_ports(session), peer_ports(session))
        assert len(np.unique(session.flow)) == len(conversations(session))


def test_flows_have_one_service_and_no_number_twice_in_a_stream():
    services = [443] * 4 + [8765] * 7
    captures = [
        with_ports(capture(i), [30_000 + 500 * i] * 4 + [31_000 + 500 * i] * 7, services)
        for i in range(8)
    ]
    pieces = list(islice(fitted(captures).stream(np.random.default_rng(0)), 2))
    flows = [set(piece.flow.tolist()) - {-1} for piece in pieces]
    assert all(flows)
    assert len(set().union(*flows)) == sum(map(len, flows))
    for piece in pieces:
        assert one_each(piece.flow, piece.protocols, peer_ports(piece))


def beacons(seed):
    """A connection, and packets of none between its own at any place."""
    rng = np.random.default_rng(seed)
    is_beacon = rng.permutation(np.repeat([False, True], [20, 10]))
    device = np.where(is_beacon, 123, int(rng.integers(40_000, 50_000)))
    peer, length = np.where(is_beacon, 123, 443), np.where(is_beacon, 90, 60)
    protocols = np.where(is_beacon, protocol_mask(["ip", "udp", "ntp"]), TCP)
    return recorded(seed, rng, length, is_beacon | True, device, peer, protocols)


def test_packets_of_no_connection_have_no_flow_wherever_they_come_in_a_stream():
    stream = fitted([beacons(i) for i in range(6)]).stream(np.random.default_rng(0))
    for piece in islice(stream, 2):
        np.testing.assert_array_equal(piece.flow == -1, piece.dst_port == 123)


def test_packets_of_no_connection_have_no_flow():
    trace = capture(0)
    alone = replace(trace, src_port=trace.src_port * 0, dst_port=trace.dst_port * 0)
    alone = replace(alone, protocols=np.full_like(alone.protocols, DNS))
    for session in drawn([alone], n=5):
        assert (session.flow == -1).all()


def test_walks_that_take_any_connection_mix_them_up():
    sessions = drawn([interleaved(i) for i in range(8)], redraw=["times"], coherent=False)
    found = [said for session in sessions for said in conversations(session)]
    assert not all(said in (ANSWERED[: len(said)], REFUSED[: len(said)]) for said in found)


def open_connections(seed):
    """A capture in which a device asks over one connection and keeps another one, both older."""
    rng = np.random.default_rng(seed)
    asks, keeps = (rng.choice(20_000, 2, replace=False) + 40_000).tolist()
    length, outgoing, device = [], [], []
    for times in rng.integers(1, 4, 12).tolist():
        length += [200, 66, 300, 66] * times + [54, 54]
        outgoing += [False, True, True, False] * times + [False, True]
        device += [asks] * (4 * times) + [keeps] * 2
    return recorded(seed, rng, length, outgoing, device, [443] * len(length), [TCP] * len(length))


def test_connections_that_were_there_before_stay_apart_wherever_they_are_taken_up():
    for session in drawn([open_connections(i) for i in range(8)], n=50):
        ports, is_probe = device_ports(session), session.length == 54
        asked, probed = set(ports[~is_probe].tolist()), set(ports[is_probe].tolist())
        assert len(asked) == len(probed) == 1
        assert asked != probed


def ended(seed):
    """A capture of three connections, before which the device gives up two that are older."""
    rng = np.random.default_rng(seed)
    ports = (rng.choice(20_000, 5, replace=False) + 40_000).tolist()
    length, outgoing, device = [66, 66] * 2, [True, False] * 2, [p for p in ports[:2] for _ in "fa"]
    for port in ports[2:]:
        length += [74, 74, 66, 200, 66, 66, 66]
        outgoing += [True, False, True, True, False, True, False]
        device += [port] * 7
    return recorded(seed, rng, length, outgoing, device, [443] * len(length), [TCP] * len(length))


def test_what_looks_like_a_syn_but_is_not_begins_as_few_connections_as_in_captures():
    for session in drawn([ended(i) for i in range(8)], n=50, order=1):
        _, first = np.unique(device_ports(session), return_index=True)
        assert np.count_nonzero(session.length[first] == 66) <= 2


@pytest.mark.parametrize("order", [1, 2])
def test_hardly_any_captures_and_no_connections_will_do(order):
    trace = capture(0)
    alone = replace(trace, src_port=trace.src_port * 0, dst_port=trace.dst_port * 0)
    alone = replace(alone, protocols=np.full_like(alone.protocols, DNS))
    for traces in ([trace], [alone], [trace, alone]):
        assert all(len(session) for session in drawn(traces, n=20, order=order))


def test_ports_of_captures_recur_where_asked():
    captures = [capture(i) for i in range(8)]
    opened = {int(p) for c in captures for p in device_ports(c)}
    for session in drawn(captures, n=50, ports={"ephemeral": "recur"}):
        assert set(device_ports(session).tolist()) <= opened


def with_length(trace, place, length):
    changed = trace.length.copy()
    changed[place] = length
    return replace(trace, length=changed)


def with_ports(trace, device, peer):
    """Other ports for the connection, as many as there are packets of it."""
    source, destination = trace.src_port.copy(), trace.dst_port.copy()
    outgoing = trace.outgoing[2:]
    source[2:] = np.where(outgoing, device, peer)
    destination[2:] = np.where(outgoing, peer, device)
    return replace(trace, src_port=source, dst_port=destination)


def peer_ports(trace):
    return np.where(trace.outgoing, trace.dst_port, trace.src_port)


def test_two_stacks_of_a_device_keep_to_their_ranges():
    # long connections are of one, short ones of the other
    captures = [
        with_ports(capture(i), [3000 + 40 * i] * 9 + [45_000 + 900 * i] * 2, 443) for i in range(8)
    ]
    sessions = drawn(captures)
    assert {int(device_ports(session)[2]) // 1000 for session in sessions} <= {2, 3}
    goodbyes = [int(device_ports(session)[-1]) for session in sessions if session.length[-1] == 54]
    assert len(goodbyes) > 150
    assert min(goodbyes) > 40_000


def test_a_port_that_two_captures_open_comes_again():
    captures = [with_ports(capture(i), 30_000 + 2000 * (i // 2), 443) for i in range(8)]
    opened = {30_000, 32_000, 34_000, 36_000}
    assert {int(p) for s in drawn(captures, n=50) for p in device_ports(s)[2:]} == opened


def test_ports_come_again_only_with_those_they_came_with():
    # a connection of 4 packets, then one of another service
    services = [443] * 4 + [8765] * 7
    boots = [(30_000, 31_000), (32_000, 33_000)]
    captures = [
        with_ports(capture(i), [boots[i % 2][0]] * 4 + [boots[i % 2][1]] * 7, services)
        for i in range(8)
    ]
    seen = set()
    for session in drawn(captures):
        ports = set(device_ports(session)[2:].tolist())
        assert len(ports & {30_000, 31_000, 32_000, 33_000}) <= 2
        assert not ports >= {30_000, 33_000}
        assert not ports >= {32_000, 31_000}
        seen |= ports
    assert seen >= {30_000, 31_000, 32_000, 33_000}


def test_a_rank_beyond_the_ports_in_use_is_the_one_that_is_longest_in_use():
    connections = Connections(slots=4)
    assert connections.others(0, 1, 5) is None
    for port in (7, 8, 9):
        connections.use(0, 1, port)
    assert [connections.others(0, 1, rank) for rank in (0, 4, 5, 6, 8)] == [None, None, 9, 8, 7]
    assert [connections.rank(0, 2, port) for port in (9, 7, 6)] == [5, 7, 4]


def test_ports_that_have_counted_to_the_end_begin_anew():
    captures = [with_ports(capture(i), [65_000 + i] * 5 + [65_001 + i] * 6, 443) for i in range(8)]
    stream = islice(fitted(captures).stream(np.random.default_rng(0)), 2)
    opened = np.concatenate([device_ports(piece)[peer_ports(piece) == 443] for piece in stream])
    assert opened.max() <= 65_535
    assert np.mean(opened == 65_535) < 0.1


@pytest.mark.parametrize("first", [4800, 6000])
def test_new_ports_are_given_to_a_protocol_by_wireshark_if_captured_ones_are(first):
    # 6000 to 6063 are claimed, but malformed, so that 5997 and 6068 stand for them; of those from
    # 4800 on none but 4840 and 4880 are claimed
    captures = [with_ports(capture(i), first + 3 * i, 443) for i in range(8)]
    ports = {int(p) for s in drawn(captures) for p in device_ports(s)[2:]}
    assert len(ports) > (1 if first == 6000 else 20)
    assert all((claimed_port("tcp", [port]) is not None) == (first == 6000) for port in ports)


def test_connections_on_ports_that_wireshark_claims_and_on_others_do_not_continue_each_other():
    captures = [with_ports(capture(i), (3452, 5200)[i % 2], 443) for i in range(8)]
    of_captures = np.concatenate([device_ports(trace) for trace in captures])
    for session in drawn(captures):
        tcp = session.protocols == TCP
        of_session, captured = device_ports(session)[tcp], of_captures[session.source[tcp]]
        claimed = [claimed_port("tcp", [port]) is not None for port in of_session.tolist()]
        assert np.array_equal(claimed, captured == 3452)


def test_neighbours_change_places_where_captures_show_both_orders():
    message, service = np.array([0, 1, 2, 1, 0, 2]), np.array([0, 1, 2, 1, 0, 2])
    order = Order(message, service, capture=np.zeros(6, dtype=np.int64))
    session = np.repeat(np.arange(400), 2)
    for pair, shares in [((0, 1), {0, 1}), ((1, 2), {0, 1}), ((0, 2), {0})]:
        packets = np.tile(pair, 400)
        drawn = packets[order.draw(packets, session, np.random.default_rng(0))]
        assert set((drawn[::2] != pair[0]).astype(int).tolist()) == shares
    one_service = Order(message, np.zeros(6, dtype=np.int64), np.zeros(6, dtype=np.int64))
    packets = np.tile([0, 1], 400)
    kept = one_service.draw(packets, session, np.random.default_rng(0))
    assert (kept == np.arange(800)).all()


def test_neighbours_of_sessions_change_places_and_times_do_not():
    def exchanged(trace):
        place = np.arange(len(trace))
        place[[1, 2]] = 2, 1
        return replace(trace, **{name: getattr(trace, name)[place] for name in ORDERED})

    captures = [exchanged(capture(i)) if i == 0 else capture(i) for i in range(8)]
    sessions = drawn(captures)
    assert 0.3 < np.mean([session.length[1] == 60 for session in sessions]) < 0.7
    assert all((np.diff(session.time_ns) > 0).all() for session in sessions)
    as_captured = drawn(captures, redraw=["times", "lengths"])
    assert np.mean([session.length[1] == 60 for session in as_captured]) < 0.3


def test_a_peer_that_answers_at_the_port_of_the_device_goes_on_doing_so():
    ports = [30_000 + 1000 * i for i in range(8)]
    for session in drawn([with_ports(capture(i), p, p) for i, p in enumerate(ports)], n=50):
        assert (device_ports(session)[2:] == peer_ports(session)[2:]).all()


def test_one_port_towards_two_services_stays_one():
    services = [8765] * 5 + [8767] * 6
    captures = [with_ports(capture(i), 30_000 + 1000 * i, services) for i in range(8)]
    one = [len(set(device_ports(session)[2:].tolist())) == 1 for session in drawn(captures, n=50)]
    assert np.mean(one) > 0.95


def test_lengths_that_one_capture_alone_shows_are_drawn_anew():
    captures = [with_length(capture(i), [3, 5], 100 + 3 * i) for i in range(8)]
    odd = [set(session.length.tolist()) - {54, 60, 70, 74, 90} for session in drawn(captures)]
    # as each capture has one, whichever captures a walk goes through
    assert max(map(len, odd)) == 1
    lengths = set().union(*odd)
    assert min(lengths) >= 95
    assert max(lengths) <= 126
    assert len(lengths) > 20


def test_no_packet_is_shorter_than_those_of_its_protocol():
    captures = [with_length(with_length(capture(i), 12, 54 + i), [0, 1], 42) for i in range(8)]
    tcp = [session.length[session.protocols == TCP].min() for session in drawn(captures)]
    assert min(tcp) == 54


def test_lengths_that_recur_are_kept():
    captures = [with_length(capture(i), 3, 100 + 3 * (i % 2)) for i in range(8)]
    lengths = set().union(*(session.length.tolist() for session in drawn(captures)))
    assert lengths == {54, 60, 70, 74, 90, 100, 103}


def test_times_are_between_those_seen_to_the_microsecond():
    captures = [capture(i) for i in range(8)]
    seen = np.concatenate([c.duration_ns[:-1] for c in captures])
    drawn_ns = np.concatenate([s.duration_ns[:-1] for s in drawn(captures, n=50)])
    assert (drawn_ns % 1000 == 0).all()
    assert not np.isin(drawn_ns, seen).all()
    assert seen.min() / 1.7 < drawn_ns.min()
    assert drawn_ns.max() < seen.max() * 1.7
    assert np.median(drawn_ns) == pytest.approx(np.median(seen), rel=0.1)


def test_a_time_that_is_always_the_same_stays():
    trace = capture(0)
    steady = [
        Trace(
            name=str(i),
            time_ns=np.arange(len(trace)) * 5_000_000,
            **{
                name: getattr(trace, name)
                for name in ("length", "outgoing", "src_port", "dst_port", "protocols")
            },
            tcp_payload=trace.tcp_payload,
        )
        for i in range(4)
    ]
    for session in drawn(steady, n=20):
        assert set(session.duration_ns[:-1].tolist()) == {5_000_000}


def test_windows_are_of_as_many_sessions():
    windows = fitted([capture(i) for i in range(6)]).sample(300, np.random.default_rng(0))
    ports = {int(p) for p in np.where(windows.outgoing, windows.src_port, windows.dst_port)[:, -1]}
    assert len(windows) == 300
    assert len(ports) > 200


def test_a_stream_starts_up_once_and_goes_on():
    pieces = list(
        islice(fitted([capture(i) for i in range(6)]).stream(np.random.default_rng(0)), 2)
    )
    time_ns = np.concatenate([piece.time_ns for piece in pieces])
    assert time_ns[0] == 0
    assert (np.diff(time_ns) >= 0).all()
    assert (time_ns % 1000 == 0).all()
    assert {piece.name for piece in pieces} == {"stream"}
    lengths = np.concatenate([piece.length for piece in pieces])
    assert np.mean(lengths == 74) < 0.01
    assert np.mean(lengths == 60) > 0.3


def opened(pieces):
    """The device's port of each flow, in the order of their first packets."""
    return [int(device_ports(p)[np.flatnonzero(p.flow == f)[0]]) for p in pieces for f in _flows(p)]


def _flows(piece):
    return [flow for flow in dict.fromkeys(piece.flow.tolist()) if flow >= 0]


def test_a_device_that_counts_its_ports_counts_on_over_a_whole_stream():
    def counting(seed):
        first = int(np.random.default_rng(seed).integers(40_000, 41_000))
        return with_ports(capture(seed), np.repeat(first + np.arange(6), [2] * 5 + [1]), [443] * 11)

    stream = fitted(list(map(counting, range(6)))).stream(np.random.default_rng(0))
    ports = np.array(opened(first_packets(stream, 5000)))
    assert len(np.unique(ports)) == len(ports) > 500
    assert np.mean(np.diff(ports) == 1) > 0.9


def test_a_port_that_all_captures_have_comes_once_in_a_stream():
    # of one that Wireshark claims only few others stand for it
    captures = [
        with_ports(capture(i), [4880] * 2 + [9000 + 900 * i] * 9, [443] * 11) for i in range(6)
    ]
    stream = fitted(captures).stream(np.random.default_rng(0))
    ports = opened(first_packets(stream, 3000))
    assert len(ports) > 300
    assert ports.count(4880) == 1


def test_as_much_of_a_stream_as_asked_for():
    generator = fitted([capture(i) for i in range(6)])
    some = list(first_packets(generator.stream(np.random.default_rng(0)), 1234))
    assert sum(map(len, some)) == 1234
    some = list(first_seconds(generator.stream(np.random.default_rng(0)), 60))
    last_ns = some[-1].time_ns[-1]
    assert 59e9 < last_ns <= 60e9


def test_sessions_follow_each_other():
    drawn = list(
        shifted_to(
            spaced(fitted([capture(i) for i in range(6)]), 70, np.random.default_rng(0)), 10**15
        )
    )
    assert len({session.name for session in drawn}) == 70
    assert drawn[0].time_ns[0] == 10**15
    for one, following in pairwise(drawn):
        assert following.time_ns[0] - one.time_ns[-1] == 60 * 10**9


@pytest.mark.parametrize("seeds_of_ports", [range(6), [0] * 6])
def test_a_stream_goes_on_where_no_connection_is_open(seeds_of_ports):
    def connections(seed, seed_of_ports):
        """One after the other, each with a pause before its first packet and before its fifth."""
        one = capture(seed, repeats=19)
        ports = np.random.default_rng(seed_of_ports).integers(33_000, 60_000, 6)
        device = np.repeat(ports, 8)[: len(one)]
        peer = np.full(len(one), 443)
        first = np.arange(len(one)) % 8 == 0
        gap_ns = np.where(np.arange(len(one)) % 4 == 0, 2e9, 1e7).astype(np.int64)
        return replace(
            one,
            time_ns=np.cumsum(gap_ns),
            length=np.where(first, 58, one.length).astype(np.int32),
            src_port=np.where(one.outgoing, device, peer).astype(np.int32),
            dst_port=np.where(one.outgoing, peer, device).astype(np.int32),
            protocols=np.full(len(one), TCP, dtype=np.uint16),
        )

    generator = fitted(list(map(connections, range(6), seeds_of_ports)))
    pieces = list(islice(generator.stream(np.random.default_rng(0)), 9))
    assert {int(piece.length[0]) for piece in pieces} == {58}


def test_a_capture_without_packets_changes_nothing():
    captures = [capture(i) for i in range(4)]
    some = fitted([captures[0][:0], *captures[:2], captures[0][:0], *captures[2:]])
    found = [
        generator.sessions(3, np.random.default_rng(0)) for generator in (some, fitted(captures))
    ]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one.length, other.length)


NAMES = [3, 5, 7, 9]


def asking(seed, *, constant=False):
    """Names in an order of each capture's own, asked and answered from a port each, or one."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(NAMES).repeat(2)
    outgoing = [True, False] * len(NAMES)
    device = np.repeat(rng.integers(40_000, 60_000, len(NAMES)), 2)
    trace = recorded(
        *(seed, rng, np.where(outgoing, 74, 90), outgoing),
        *(np.full_like(device, 5000) if constant else device, [53] * len(names)),
        [DNS] * len(names),
    )
    states = np.zeros((len(names), len(STATES)), dtype=np.int64)
    states[:, STATES.index("dns")] = np.where(outgoing, -names, 0)
    return replace(trace, states=states), names


def wrong(sessions, names):
    """Answers to another name than was asked last from their port, and how many there are."""
    found = answers = 0
    for session in sessions:
        asked: dict[int, int] = {}
        for port, source, outgoing in zip(
            device_ports(session).tolist(),
            session.source.tolist(),
            session.outgoing.tolist(),
            strict=True,
        ):
            if outgoing:
                asked[port] = int(names[source])
            else:
                answers += 1
                found += asked.get(port) != names[source]
    return found, answers


@pytest.mark.parametrize("constant", [False, True])
def test_walks_have_answers_to_the_questions_that_they_asked(constant):
    traces, names = zip(*(asking(i, constant=constant) for i in range(8)), strict=True)
    told = np.concatenate(names)
    count, answers = wrong(drawn(traces), told)
    assert count == 0
    assert answers > 0.9 * 200 * len(NAMES)
    # by lengths alone all questions are the same
    assert wrong(drawn(traces, agree=()), told)[0] > 0.2 * answers


def test_what_is_known_of_connections_is_saved(tmp_path):
    traces = [asking(i)[0] for i in range(6)]
    model = fitted(traces)
    model.save(tmp_path / "device.model")
    loaded = Sessions.load(tmp_path / "device.model")
    first, again = (each.sample(100, np.random.default_rng(0)) for each in (model, loaded))
    np.testing.assert_array_equal(first.source, again.source)
    plain = fitted([replace(trace, states=None) for trace in traces])
    other = plain.sample(100, np.random.default_rng(0))
    assert not np.array_equal(first.source, other.source)


@pytest.mark.parametrize(("protocols", "redrawn"), [(DNS, False), (TCP, True)])
def test_messages_of_a_fixed_form_keep_their_lengths(protocols, redrawn):
    rng = np.random.default_rng(0)
    captures = [
        recorded(
            i, rng, [100 + 7 * i] * 10, [True] * 10, [40_000] * 10, [53] * 10, [protocols] * 10
        )
        for i in range(6)
    ]
    known = np.unique(np.concatenate([each.length for each in captures]))
    lengths = np.concatenate([session.length for session in drawn(captures)])
    assert np.isin(lengths, known).all() != redrawn
