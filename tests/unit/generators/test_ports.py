"""Which connection a packet belongs to."""

from iotflowgen.generators.ports import Connections

SESSION, SERVICE, OTHER = 0, 1, 2
SLOTS = 4


def test_a_connection_that_is_over_counts_until_another_is_used() -> None:
    open_ = Connections(SLOTS)
    open_.use(SESSION, SERVICE, 1000)
    open_.use(SESSION, SERVICE, 2000, ends=True)
    assert [open_.rank(SESSION, SERVICE, port) for port in (2000, 1000)] == [0, 1]
    open_.use(SESSION, SERVICE, 1000)
    assert open_.rank(SESSION, SERVICE, 2000) == SLOTS


def test_a_connection_that_goes_on_after_its_end_is_none_that_is_over() -> None:
    open_ = Connections(SLOTS)
    open_.use(SESSION, SERVICE, 2000, ends=True)
    open_.use(SESSION, SERVICE, 2000)
    open_.use(SESSION, SERVICE, 3000)
    assert open_.rank(SESSION, SERVICE, 2000) == 1


def test_another_service_tells_a_port_that_is_in_use() -> None:
    open_ = Connections(SLOTS)
    open_.use(SESSION, SERVICE, 1000)
    open_.use(SESSION, SERVICE, 2000)
    rank = open_.rank(SESSION, OTHER, 1000)
    assert rank > SLOTS
    assert open_.others(SESSION, OTHER, rank) == 1000


def test_what_wireshark_claims_of_udp_does_not_count_for_tcp() -> None:
    # 3784 is claimed of UDP alone, 3452 of both, 3724 of TCP alone
    open_ = Connections(SLOTS)
    asked = [(3453, 3452, False), (3784, 6500, False), (3724, 3724, True), (3784, 3452, False)]
    opened = [open_.open(SESSION, SERVICE, new, like, udp=udp) for new, like, udp in asked]
    assert opened == [3478, 3784, 3724, 3804]


def test_no_new_port_is_one_where_wireshark_finds_all_payload_malformed() -> None:
    # SABP has 3452 and AX4000 has 3357
    open_ = Connections(SLOTS)
    assert [open_.open(SESSION, SERVICE, drawn, 3452) for drawn in (3357, 3452)] == [3369, 3478]


def test_a_port_that_a_service_opened_is_no_other_services_to_it() -> None:
    open_ = Connections(SLOTS)
    port = open_.open(SESSION, SERVICE, 6500, 6500)
    open_.use(SESSION, SERVICE, port, ends=True)
    assert open_.others(SESSION, OTHER, SLOTS + 1) == port
    assert open_.others(SESSION, SERVICE, SLOTS + 1) is None


def test_a_host_that_has_opened_the_last_port_of_its_range_goes_on_with_the_first() -> None:
    open_ = Connections(SLOTS)
    ports = [open_.open(SESSION, SERVICE, 60_999, 50_000, ends=(32_768, 61_000)) for _ in range(3)]
    assert ports == [60_999, 61_000, 32_768]
