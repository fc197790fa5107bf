"""Tables beside folders: each table is read, or refused by name.

Folders are classes only if nothing speaks against it.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from pathlib import Path

import pytest

from taskvec_demo.errors import BadArtifactError
from taskvec_demo.recordings.layouts import detect, read_set
from tests.support import layout_copies as copies

CLASSES = ("dog_bark", "siren", "drilling")


def rewritten(table: Path, to: Path, header: dict[str, str] | None = None, delimiter: str = ",") -> None:
    """The table with other names of columns (a name that is not in `header` stays), and another delimiter."""
    with table.open(newline="") as file:
        first, *rows = csv.reader(file)
    table.unlink()
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("w", newline="") as file:
        out = csv.writer(file, delimiter=delimiter)
        out.writerows([[(header or {}).get(name, name) for name in first], *rows])


@pytest.fixture
def urban(tmp_path):
    return copies.write_urbansound8k(tmp_path / "urban", CLASSES)


def as_published(urban: Path) -> set:
    return {(Path(r.file).name, r.label, r.split, r.group) for r in read_set(urban).recordings}


def flat(folder: Path) -> None:
    for fold in (folder / "audio").iterdir():
        shutil.move(fold, folder / fold.name)
    (folder / "audio").rmdir()


@pytest.mark.parametrize("place", ["UrbanSound8K.csv", "metadata/UrbanSound8K.csv", "urbansound8k (1).csv"])
@pytest.mark.parametrize("flattened", [False, True])
def test_urbansound8k_is_known_wherever_its_table_and_folds_lie(urban, place, flattened):
    expected = as_published(urban)
    rewritten(urban / "metadata" / "UrbanSound8K.csv", urban / place)
    if flattened:
        flat(urban)
    found = read_set(urban)
    assert found.layout == "urbansound8k"
    assert found.class_names == tuple(sorted(CLASSES))
    assert {(Path(r.file).name, r.label, r.split, r.group) for r in found.recordings} == expected
    assert all((urban / r.file).is_file() for r in found.recordings)


@pytest.mark.parametrize("name", ["labels.csv", "meta.TSV", "annotations/train_all.tsv", "Metadata/all.csv"])
@pytest.mark.parametrize(
    "header", [{}, {"slice_file_name": "ID", "class": "Class"}, {"slice_file_name": "what", "fold": "k"}]
)
def test_any_table_beside_folds_is_read_for_its_labels(urban, name, header):
    expected = {(file, label) for file, label, _, _ in as_published(urban)}
    delimiter = "\t" if name.lower().endswith("tsv") else ";"
    rewritten(urban / "metadata" / "UrbanSound8K.csv", urban / name, header, delimiter)
    flat(urban)
    found = read_set(urban)
    assert found.layout == "csv"
    assert {(Path(r.file).name, r.label) for r in found.recordings} == expected
    assert all((urban / r.file).is_file() for r in found.recordings)


@pytest.mark.parametrize("where", ["notes.csv", "metadata/notes.tsv"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_table_that_no_reader_uses_beside_folders_is_refused_by_name(urban, where, deep):
    rewritten(urban / "metadata" / "UrbanSound8K.csv", urban / where, {"class": "x", "classID": "y"})
    if not deep:
        flat(urban)
    with pytest.raises(
        BadArtifactError, match=r"notes\.[ct]sv with the columns slice_file_name, .*which no reader uses"
    ):
        read_set(urban)
    if not deep:
        assert len(read_set(urban, "folders").class_names) == 10  # if the layout is named, it is used


def lines_of(folder: Path, line: str) -> str:
    return "".join(line.format(f.relative_to(folder).as_posix()) for f in sorted(folder.rglob("*.wav")))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("metadata.jsonl", '{{"file_name": "{}", "label": "x"}}\n'),
        ("meta/all.json", '{{"path":"{}"}},'),
        ("labels.txt", "{}\tdog\n"),
        ("annotations/clips.lst", "{} 3\n"),
        ("labels.xlsx", "PK"),
    ],
)
def test_a_table_in_a_format_that_nothing_reads_is_refused_by_name(tmp_path, name, line):
    folder = copies.write_folders(tmp_path / "set", ("a", "b"), per_class=3)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(lines_of(folder, line))
    with pytest.raises(BadArtifactError, match=rf"holds {Path(name).name}, which no reader uses, .* \(a, b\)"):
        read_set(folder)


def test_a_text_that_says_nothing_of_the_files_is_no_table(tmp_path):
    folder = copies.write_folders(tmp_path / "set", ("yes", "no"), per_class=3)
    (folder / "README.txt").write_text("Recorded in 2019.\nFor example yes/0.wav is a word.\nAnd more.\n")
    (folder / "testing_list.txt").write_text(lines_of(folder, "{}\n"))  # as Speech Commands has it
    (folder / "info.json").write_text('{"labels": {"yes": 0, "no": 1}}')
    assert read_set(folder).class_names == ("no", "yes")


def test_fsd50k_is_read_by_its_tables(tmp_path):
    """Its two folders of sound are no classes, and its tables lie in a folder of their own."""
    folder, truth = tmp_path / "FSD50K", tmp_path / "FSD50K" / "FSD50K.ground_truth"
    copies.write_table(folder / "FSD50K.dev_audio", ("fname", "labels"), [(f"{i}.wav", "xy"[i % 2]) for i in range(6)])
    copies.write_table(folder / "FSD50K.eval_audio", ("fname", "labels"), [(f"{i}.wav", "xy"[i % 2]) for i in (7, 8)])
    for part in ("dev", "eval"):
        (folder / f"FSD50K.{part}_audio" / "clips.csv").unlink()
    truth.mkdir()
    rows = "".join(f"{i},{'xy'[i % 2]},/m/1,{'train' if i < 4 else 'val'}\n" for i in range(6))
    (truth / "dev.csv").write_text("fname,labels,mids,split\n" + rows)
    (truth / "eval.csv").write_text("fname,labels,mids\n7,y,/m/1\n8,x,/m/1\n")
    found = read_set(folder)
    assert found.class_names == ("x", "y")
    assert {r.file for r in found.recordings if r.split == "test"} == {f"FSD50K.eval_audio/{i}.wav" for i in (7, 8)}
    assert {r.file for r in found.recordings if r.split == "validation"} == {
        f"FSD50K.dev_audio/{i}.wav" for i in (4, 5)
    }


def test_folders_named_like_folds_are_no_classes_and_others_are(urban, tmp_path):
    (urban / "metadata" / "UrbanSound8K.csv").unlink()
    with pytest.raises(BadArtifactError, match=r"fold1, .* named like parts of a set"):
        read_set(urban / "audio")
    plain = copies.write_folders(tmp_path / "plain", ("dog", "rain", "fold"))
    assert read_set(plain).layout == "folders"
    digits = copies.write_folders(tmp_path / "digits", ("0", "1", "2"))
    assert read_set(digits).class_names == ("0", "1", "2")


def test_esc50_is_read_as_kaggle_ships_it(tmp_path):
    folder = copies.write_esc50(tmp_path / "esc", ("dog", "rain"))
    expected = as_published(folder)
    shutil.move(folder / "meta" / "esc50.csv", folder / "esc50.csv")
    (folder / "meta").rmdir()
    shutil.move(folder / "audio", folder / "sound")
    shutil.copytree(folder / "sound", folder / "audio" / "audio" / "16000")  # the same names at another rate
    for file in (folder / "sound").iterdir():
        shutil.move(file, folder / "audio" / "audio" / file.name)
    (folder / "sound").rmdir()
    found = read_set(folder)
    assert found.layout == "esc50"
    assert {(Path(r.file).name, r.label, r.split, r.group) for r in found.recordings} == expected
    assert {str(Path(r.file).parent) for r in found.recordings} == {"audio/audio"}


def test_one_table_for_each_split_is_read_and_two_others_are_refused(tmp_path):
    copies.write_table(tmp_path, ("fname", "label"), [("a.wav", "x"), ("b.wav", "y")], "train.csv")
    copies.write_table(tmp_path, ("fname", "label"), [("c.wav", "x"), ("d.wav", "y")], "labels_test.csv")
    found = read_set(tmp_path)
    assert {r.file for r in found.recordings if r.split == "test"} == {"c.wav", "d.wav"}
    shutil.copy(tmp_path / "train.csv", tmp_path / "more.csv")
    with pytest.raises(BadArtifactError, match=r"holds: labels_test\.csv, more\.csv, train\.csv\.$"):
        read_set(tmp_path)


@pytest.mark.parametrize("name", ["metadata.csv", "meta.tsv"])
def test_a_table_in_each_split_folder_is_about_the_files_of_that_split(tmp_path, name):
    folder = copies.write_folders(tmp_path / "set", ("a", "b"), per_class=2, splits=("train", "test"))
    expected = set()
    for split, labels in (("train", "xxyy"), ("test", "yyxx")):  # other labels than the folders', and the same names
        files = sorted(f.relative_to(folder / split).as_posix() for f in (folder / split).rglob("*.wav"))
        rows = [f"{file}\t{label}" for file, label in zip(files, labels, strict=True)]
        (folder / split / name).write_text("file_name\tlabel\n" + "\n".join(rows) + "\n")
        expected |= {(f"{split}/{file}", label, split) for file, label in zip(files, labels, strict=True)}
    found = {(r.file, r.label, r.split) for r in read_set(folder).recordings if r.split != "validation"}
    assert found <= expected
    assert len(found) >= len(expected) - 2  # some of train become validation


def test_the_table_above_folders_is_named(urban):
    rewritten(urban / "metadata" / "UrbanSound8K.csv", urban / "notes.csv")
    for fold in (urban / "audio").iterdir():
        fold.rename(fold.with_name(f"class {fold.name}"))
    with pytest.raises(BadArtifactError, match=r"lies beside the table notes\.csv"):
        read_set(urban / "audio")


def test_long_values_are_not_echoed_in_full(tmp_path):
    copies.write_table(tmp_path, ("file", "label", "split"), [("a.wav", "x", "s" * 100_000)])
    with pytest.raises(BadArtifactError, match="has the split") as caught:
        read_set(tmp_path)
    assert len(str(caught.value)) < 1000


def test_a_table_beside_sets_is_not_a_set(tmp_path):
    copies.write_folders(tmp_path / "one")
    copies.write_esc50(tmp_path / "two", ("dog", "rain"))
    (tmp_path / "sources.csv").write_text("set,licence\none,CC0\n")
    assert detect(tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_names_of_bytes_that_are_not_utf8_are_read_and_shown_with_question_marks(tmp_path):
    folder = copies.write_folders(tmp_path / "set", ("dog", "rain"))
    (folder / "rain").rename(os.fsdecode(os.fsencode(folder) + b"/pluie\xe9"))
    (folder / "dog" / "0.wav").rename(os.fsdecode(os.fsencode(folder) + b"/dog/aboiement\xe9.wav"))
    found = read_set(folder)
    assert found.class_names == ("dog", "pluie?")
    assert all((folder / r.file).is_file() for r in found.recordings)
    assert len(found.recordings) == 20
    assert found == read_set(folder)
