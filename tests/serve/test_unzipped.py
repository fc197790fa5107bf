"""A visitor's .zip: what is refused, and that nothing of it stays."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from taskvec_demo.errors import BadArtifactError
from taskvec_demo.serve.unzipped import Limits, unzipped

LIMITS = Limits(files=5, bytes=1000)


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(BadArtifactError) as error, unzipped(path, LIMITS):
        pass
    assert str(path.parent) not in str(error.value)
    assert str(error.value).endswith("accepted is a .zip of at most 5 files and 0 MB when unpacked.")
    return str(error.value)


def test_files_are_there_until_the_reader_is_done(tmp_path):
    with unzipped(archive(tmp_path / "a.zip", {"x/1.wav": b"one", "y/2.wav": b"two"}), LIMITS) as folder:
        assert (folder / "x" / "1.wav").read_bytes() == b"one"
        assert (folder / "y" / "2.wav").read_bytes() == b"two"
    assert not folder.exists()


def test_they_are_gone_after_an_error_too(tmp_path):
    with pytest.raises(KeyError), unzipped(archive(tmp_path / "a.zip", {"x/1.wav": b"one"}), LIMITS) as folder:
        raise KeyError
    assert not folder.exists()


def test_one_folder_around_everything_is_the_set(tmp_path):
    files = {"mine/x/1.wav": b"", "mine/y/2.wav": b"", "__MACOSX/mine/x/._1.wav": b"", "mine/.DS_Store": b""}
    with unzipped(archive(tmp_path / "a.zip", files), LIMITS) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["x", "y"]
    with unzipped(archive(tmp_path / "b.zip", {"mine/clips.csv": b"", "mine/2.wav": b""}), LIMITS) as folder:
        assert sorted(p.name for p in folder.iterdir()) == ["2.wav", "clips.csv"]
    with unzipped(archive(tmp_path / "c.zip", {"x/1.wav": b"", "x/2.wav": b""}), LIMITS) as folder:
        assert [p.name for p in folder.iterdir()] == ["x"]  # one class, which a name of its own says


@pytest.mark.parametrize("name", ["../1.wav", "x/../../1.wav", "/etc/1.wav", "..\\1.wav", "C:\\1.wav"])
def test_a_name_that_leads_outside_is_refused_and_nothing_is_written(tmp_path, name):
    assert "lies outside of it" in refusal(archive(tmp_path / "a.zip", {"x/0.wav": b"", name: b"out"}))
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("x/link.wav")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    assert "is a link" in refusal(tmp_path / "a.zip")


def test_a_file_without_a_name_is_refused(tmp_path):
    """zipfile cuts a name at its first NUL."""
    content = archive(tmp_path / "a.zip", {"x/0.wav": b"", "y.wav": b""}).read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"y.wav", b"\0.wav"))
    assert "holds a file without a name" in refusal(tmp_path / "a.zip")


def test_too_many_and_too_large_files_are_refused(tmp_path):
    assert "holds 6 files" in refusal(archive(tmp_path / "a.zip", {f"x/{i}": b"" for i in range(6)}))
    assert "holds too many files" in refusal(archive(tmp_path / "b.zip", {f"x/{i}": b"" for i in range(11)}))
    packed = archive(tmp_path / "c.zip", {"x/1": bytes(2 * 10**6)})
    assert packed.stat().st_size < 10_000
    assert "holds 2 MB when unpacked" in refusal(packed)
    assert "holds no file" in refusal(archive(tmp_path / "d.zip", {".hidden": b""}))


def test_an_archive_that_lies_about_sizes_is_refused(tmp_path):
    content = archive(tmp_path / "a.zip", {"x/1": bytes(5000)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert "is no .zip that can be unpacked" in refusal(tmp_path / "a.zip")


def test_what_is_no_zip_is_refused(tmp_path):
    whole = archive(tmp_path / "a.zip", {"x/1": b"x" * 500}).read_bytes()
    for content in (b"", b"RIFF", whole[:60], whole[:-30]):
        (tmp_path / "b.zip").write_bytes(content)
        assert refusal(tmp_path / "b.zip").startswith("b.zip is no .zip that can be unpacked; ")


def test_a_locked_archive_is_refused(tmp_path):
    content = bytearray(archive(tmp_path / "a.zip", {"x/1": b"secret"}).read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[6] |= 1  # the flag of the file, and of its entry in the list
    content[entry + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    assert "is locked with a password" in refusal(tmp_path / "a.zip")
