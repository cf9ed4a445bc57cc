"""Traces and windows survive a table, and a table that cannot be one is refused by name."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyarrow import csv, parquet

from iotflowgen.errors import OutputError, TableError
from iotflowgen.tables import read_traces, read_windows, write_traces, write_windows
from iotflowgen.traffic import PROTOCOLS, Trace, Windows, protocol_mask

DAYS_NS = 20 * 86400 * 10**9
SUFFIXES = pytest.mark.parametrize("suffix", [".parquet", ".csv"])

PORTS = st.integers(0, 65535)
COUNTS = st.integers(0, 2**31 - 1)


@st.composite
def windows(draw):
    shape = draw(st.tuples(st.integers(1, 4), st.integers(1, 6)))
    return Windows(
        duration_ns=draw(arrays(np.int64, shape, elements=st.integers(0, DAYS_NS))),
        length=draw(arrays(np.int32, shape, elements=COUNTS)),
        outgoing=draw(arrays(np.bool_, shape)),
        src_port=draw(arrays(np.int32, shape, elements=PORTS)),
        dst_port=draw(arrays(np.int32, shape, elements=PORTS)),
        protocols=draw(arrays(np.uint16, shape)),
    )


@st.composite
def traces(draw):
    n = draw(st.integers(1, 6))
    gaps = draw(arrays(np.int64, n, elements=st.integers(0, DAYS_NS)))
    return Trace(
        name=draw(st.text(st.characters(exclude_categories=["C"]), min_size=1)),
        time_ns=1_473_260_204_487_105_001 + np.cumsum(gaps),
        length=draw(arrays(np.int32, n, elements=COUNTS)),
        outgoing=draw(arrays(np.bool_, n)),
        src_port=draw(arrays(np.int32, n, elements=PORTS)),
        dst_port=draw(arrays(np.int32, n, elements=PORTS)),
        protocols=draw(arrays(np.uint16, n)),
        tcp_payload=draw(arrays(np.int32, n, elements=COUNTS)),
    )


def assert_same(one, other, names):
    for name in names:
        before, after = getattr(one, name), getattr(other, name)
        assert before.dtype == after.dtype, name
        np.testing.assert_array_equal(before, after, err_msg=name)


@SUFFIXES
@settings(max_examples=40, deadline=None)
@given(windows())
def test_windows_come_back_exactly(tmp_path_factory, suffix, real):
    path = tmp_path_factory.mktemp("tables") / f"windows{suffix}"
    write_windows(real, path)
    assert_same(real, read_windows(path), Windows.columns())


@SUFFIXES
@settings(max_examples=40, deadline=None)
@given(st.lists(traces(), min_size=1, max_size=3))
def test_traces_come_back_exactly(tmp_path_factory, suffix, real):
    path = tmp_path_factory.mktemp("tables") / f"traces{suffix}"
    write_traces(real, path)
    again = read_traces(path)
    assert [trace.name for trace in again] == [trace.name for trace in real]
    for before, after in zip(real, again, strict=True):
        assert_same(before, after, [*Windows.columns(), "time_ns", "tcp_payload"])


@pytest.fixture
def two_windows():
    shape = (2, 3)
    return Windows(
        duration_ns=np.full(shape, 1_500_000_000, dtype=np.int64),
        length=np.array([[60, 1514, 66], [42, 42, 90]], dtype=np.int32),
        outgoing=np.array([[True, False, True], [False, True, True]]),
        src_port=np.full(shape, 40000, dtype=np.int32),
        dst_port=np.full(shape, 443, dtype=np.int32),
        protocols=np.full(shape, protocol_mask(["ip", "tcp", "https"]), dtype=np.uint16),
    )


def test_a_csv_shows_seconds_and_the_protocols_by_name(two_windows, tmp_path):
    path = tmp_path / "windows.csv"
    write_windows(two_windows, path)
    header, first, *_ = path.read_text().splitlines()
    assert header.replace('"', "").split(",") == [
        *("sequence", "position", "duration", "length", "outgoing", "src_port", "dst_port"),
        *PROTOCOLS,
    ]
    cells = dict(zip(header.replace('"', "").split(","), first.split(","), strict=True))
    assert cells["duration"] == "1.5"
    assert cells["outgoing"] == "true"
    assert [name for name in PROTOCOLS if cells[name] == "true"] == ["ip", "tcp", "https"]


def test_parquet_has_the_contract_types(two_windows, tmp_path):
    path = tmp_path / "windows.parquet"
    write_windows(two_windows, path)
    types = {field.name: str(field.type) for field in parquet.read_schema(path)}
    assert types == {
        "sequence": "int32",
        "position": "int32",
        "duration": "double",
        "length": "int32",
        "outgoing": "bool",
        "src_port": "int32",
        "dst_port": "int32",
        **dict.fromkeys(PROTOCOLS, "bool"),
    }


def test_rows_may_be_in_any_order_beside_columns_of_others(two_windows, tmp_path):
    path = tmp_path / "windows.parquet"
    write_windows(two_windows, path)
    table = parquet.read_table(path).append_column("note", pa.array(["x"] * 6))
    parquet.write_table(table.take([5, 0, 3, 2, 4, 1]), path)
    assert_same(two_windows, read_windows(path), Windows.columns())


def spoilt(path, name, row, value):
    """The CSV at `path` with one cell changed; None takes the whole column away."""
    table = csv.read_csv(path)
    column = table[name].to_pylist()
    column[row] = value
    table = table.set_column(table.column_names.index(name), name, [column])
    csv.write_csv(table, path)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("duration", -1.0, "duration -1.0 in row 1"),
        ("duration", float("nan"), "duration"),
        ("duration", float("inf"), "duration inf in row 1"),
        ("length", -5, "length -5 in row 1"),
        ("dst_port", 65536, "dst_port 65536 in row 1"),
        ("position", 7, "positions of sequence 0"),
        ("sequence", 1, "sequence"),
        ("length", None, "length"),
        ("length", 2**40, "1099511627776"),
    ],
)
def test_an_impossible_value_is_named(two_windows, tmp_path, name, value, says):
    path = tmp_path / "windows.csv"
    write_windows(two_windows, path)
    spoilt(path, name, 1, value)
    with pytest.raises(TableError, match=says) as error:
        read_windows(path)
    assert "windows.csv" in str(error.value)
    assert "\n" not in str(error.value)


@SUFFIXES
def test_missing_columns_are_named(two_windows, tmp_path, suffix):
    path = tmp_path / f"windows{suffix}"
    write_windows(two_windows, path)
    if suffix == ".csv":
        csv.write_csv(csv.read_csv(path).drop_columns(["length", "mdns"]), path)
    else:
        parquet.write_table(parquet.read_table(path).drop_columns(["length", "mdns"]), path)
    with pytest.raises(TableError, match="lacks the columns length, mdns"):
        read_windows(path)


def test_windows_are_no_traces(two_windows, tmp_path):
    path = tmp_path / "windows.parquet"
    write_windows(two_windows, path)
    with pytest.raises(TableError, match="lacks the columns capture, time_ns, tcp_payload"):
        read_traces(path)


def test_ragged_windows_are_refused(two_windows, tmp_path):
    path = tmp_path / "windows.parquet"
    write_windows(two_windows, path)
    parquet.write_table(parquet.read_table(path).slice(0, 5), path)
    with pytest.raises(TableError, match="sequence 0 has 3 packets and sequence 1 has 2"):
        read_windows(path)


def test_time_going_backwards_is_refused(tmp_path):
    zeros = np.zeros(2, dtype=np.int32)
    trace = Trace(
        *("boot.pcap", np.array([5, 9]), zeros, zeros > 0, zeros, zeros),
        *(zeros.astype(np.uint16), zeros),
    )
    path = tmp_path / "packets.csv"
    write_traces([trace], path)
    spoilt(path, "time_ns", 1, 4)
    with pytest.raises(TableError, match=r"boot\.pcap are not in order of time"):
        read_traces(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("windows.parquet", b"hello", "not a table"),
        ("windows.parquet", b"", "not a table"),
        ("windows.csv", b"", "not a table"),
        ("windows.csv", b"a,b\n1\n", "not a table"),
        ("windows.txt", b"", "must end in .parquet or .csv"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=says):
        read_windows(tmp_path / name)


@pytest.mark.parametrize("name", ["windows.csv", "windows.parquet"])
def test_no_such_file(tmp_path, name):
    with pytest.raises(TableError, match=rf"cannot read .*{name}: No such file"):
        read_windows(tmp_path / name)


def test_a_table_without_packets(two_windows, tmp_path):
    path = tmp_path / "windows.csv"
    write_windows(two_windows, path)
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(TableError, match="holds no packets"):
        read_windows(path)


def test_an_unknown_suffix_writes_nothing(two_windows, tmp_path):
    with pytest.raises(OutputError, match=r"name it \.parquet or \.csv"):
        write_windows(two_windows, tmp_path / "windows.xlsx")
    assert not list(tmp_path.iterdir())


def test_a_table_appears_whole_or_not_at_all(two_windows, tmp_path):
    (tmp_path / "windows.csv").mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        write_windows(two_windows, tmp_path / "windows.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["windows.csv"]
