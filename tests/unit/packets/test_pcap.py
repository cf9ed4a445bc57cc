from iotflowgen.packets.pcap import FORMATS

FRAME = bytes(range(14))
TIME_NS = 1_704_067_200 * 10**9 + 123_456_789


def test_a_pcap_file_byte_by_byte() -> None:
    pcap = FORMATS[".pcap"]
    assert pcap.header.hex(" ", 4) == "4d3cb2a1 02000400 00000000 00000000 00000400 01000000"
    seconds, nanoseconds, captured, length = "80009265", "15cd5b07", "0e000000", "0e000000"
    expected = bytes.fromhex(seconds + nanoseconds + captured + length) + FRAME
    assert pcap.record(TIME_NS, FRAME) == expected


def test_a_pcapng_file_byte_by_byte() -> None:
    pcapng = FORMATS[".pcapng"]
    section = "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffff ffffffff 1c000000"
    interface = "01000000 20000000 01000000 00000400 09000100 09000000 00000000 20000000"
    assert pcapng.header.hex(" ", -4) == f"{section} {interface}"
    high, low = (TIME_NS >> 32).to_bytes(4, "little"), (TIME_NS % 2**32).to_bytes(4, "little")
    assert pcapng.record(TIME_NS, FRAME) == (
        bytes.fromhex("06000000 30000000 00000000")
        + high
        + low
        + bytes.fromhex("0e000000 0e000000")
        + FRAME
        + bytes.fromhex("0000 30000000")
    )
