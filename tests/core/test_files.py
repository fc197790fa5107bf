"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taskvec_demo.core.files import whole_file, whole_folder

PACKAGE = Path(__file__).parents[2] / "taskvec_demo"


def test_a_file_is_there_when_the_block_has_ended_and_not_before(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("all of it")
        assert not path.exists()
    assert path.read_text() == "all of it"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "set"
    (tmp_path / ".set.partial").mkdir()
    (tmp_path / ".set.partial" / "left by a killed run").touch()

    def write(fails):
        with whole_folder(path) as temporary:
            (temporary / "a.txt").write_text("a")
            assert not path.exists()
            if fails:
                raise KeyError

    with pytest.raises(KeyError):
        write(fails=True)
    assert list(tmp_path.iterdir()) == []
    write(fails=False)
    assert [p.name for p in path.iterdir()] == ["a.txt"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_holds_something_is_not_replaced(tmp_path):
    path = tmp_path / "set"
    path.mkdir()
    with whole_folder(path) as temporary:  # an empty one may be
        (temporary / "mine").touch()

    def again():
        with whole_folder(path) as temporary:
            (temporary / "other").touch()

    with pytest.raises(OSError, match="empty"):
        again()
    assert [p.name for p in path.iterdir()] == ["mine"]


def test_nothing_else_renames_by_hand():
    by_hand = re.compile(r"os\.(replace|rename)\(|\.rename\(|shutil\.move\(")
    found = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py") if by_hand.search(p.read_text("utf-8"))}
    assert found == {"core/files.py"}
