import signal
import stat
from pathlib import Path

import pytest

from iotflowgen.errors import OutputError
from iotflowgen.files import uninterrupted, whole_file


def test_a_file_appears_whole_with_the_usual_rights(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with whole_file(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    (tmp_path / "usual").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_fails_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(error), whole_file(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below.txt"
    with pytest.raises(OutputError, match=f"cannot write {below}: .*place"), whole_file(below):
        pass


def test_ctrl_c_waits_until_what_was_done_is_noted():
    noted = []
    # it is ignored where tests run in the background
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            signal.raise_signal(signal.SIGINT)
            noted.append("done")
    finally:
        signal.signal(signal.SIGINT, before)
    assert noted == ["done"]
    with uninterrupted():
        noted.append("again")
    assert noted == ["done", "again"]


@pytest.mark.parametrize("folder", [".", "below"])
def test_a_folder_is_no_place_for_a_file(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    with pytest.raises(OutputError, match="is a folder"), whole_file(Path(folder)):
        pass
