"""Every public layout is read with its official splits.

A set without splits is dealt by source, whatever the order of its files.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from taskvec_demo.errors import BadArtifactError
from taskvec_demo.recordings.layouts import LAYOUTS, RecordingSet, detect, read_set, speaker_of
from taskvec_demo.recordings.splits import SPLITS, Recording, counted, deal, with_all_splits, with_classes_in_both
from tests.support import layout_copies as copies

WRITERS = {
    "esc50": lambda f: copies.write_esc50(f, ("dog", "rain")),
    "urbansound8k": lambda f: copies.write_urbansound8k(f, ("siren", "drilling")),
    "gtzan": lambda f: copies.write_gtzan(f, ("blues", "jazz"), 4),
    "ravdess": lambda f: copies.write_ravdess(f, range(15, 25), ("sad", "happy")),
    "emodb": lambda f: copies.write_emodb(f, letters="WF", texts=("a01",)),
    "gender_emotion": lambda f: copies.write_gender_emotion(f, ("female_sad", "male_sad"), 4),
    "csv": lambda f: copies.write_table(f, ("Filename", "Category"), [("a.wav", "x"), ("b.wav", "y")], "meta.csv"),
    "folders": lambda f: copies.write_folders(f, per_class=4),
    "clips.csv": lambda f: copies.write_table(f, ("file", "label", "split"), [("a.wav", "x", "test")]),
}


def by_split(found: RecordingSet) -> dict[str, set[str]]:
    """Split -> sources."""
    groups: dict[str, set[str]] = defaultdict(set)
    for r in found.recordings:
        groups[r.split].add(r.group)
    return groups


def read(folder: Path) -> dict[str, Recording]:
    """File name -> recording; every file is there and can be decoded."""
    found = read_set(folder)
    for r in found.recordings:
        assert soundfile.info(folder / r.file).frames > 0
    assert {r.split for r in found.recordings} <= set(SPLITS)
    return {Path(r.file).name: r for r in found.recordings}


# ---- all of them ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_found_and_read_again_by_name(layout: str, tmp_path: Path) -> None:
    folder = WRITERS[layout](tmp_path / "set")
    assert detect(folder) == layout
    found = read_set(folder)
    assert found.layout == layout
    assert found == read_set(folder, layout)
    assert all((folder / r.file).is_file() for r in found.recordings)
    assert detect(tmp_path) is None  # a folder of sets is none
    others = [name for name in LAYOUTS if name != layout and not LAYOUTS[name].found(folder)]
    assert len(others) >= len(LAYOUTS) - 3  # a set of folders may be read as folders only, too
    with pytest.raises(BadArtifactError, match=rf"does not have the layout {others[0]}"):
        read_set(folder, others[0])


def test_no_layout_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        BadArtifactError, match=r"empty has no known layout; accepted are: clips\.csv.*esc50.*folders.*\.$"
    ):
        read_set(tmp_path / "empty")
    with pytest.raises(BadArtifactError, match=r"nothing is not a folder; accepted"):
        read_set(tmp_path / "nothing")
    with pytest.raises(BadArtifactError, match=r"no layout 'esc51'; accepted are: clips\.csv"):
        read_set(tmp_path / "empty", "esc51")
    (tmp_path / "empty" / "data").mkdir()
    (tmp_path / "empty" / "data" / "train.parquet").touch()
    with pytest.raises(BadArtifactError, match=r"holds parquet files, which .*data import"):
        read_set(tmp_path / "empty")


# ---- published sets -------------------------------------------------------------------------------------------------
def test_esc50_has_its_folds_and_sources(tmp_path: Path) -> None:
    found = read(copies.write_esc50(tmp_path, ("dog", "rain"), per_fold=2))
    assert found["5-110500-A-10.wav"] == Recording("audio/5-110500-A-10.wav", "rain", "test", "110500")
    folds = {"1": "train", "2": "train", "3": "train", "4": "validation", "5": "test"}
    assert all(r.split == folds[name[0]] for name, r in found.items())
    assert Counter(r.split for r in found.values()) == {"train": 12, "validation": 4, "test": 4}
    assert read_set(tmp_path).notes == ()


def test_urbansound8k_has_its_folds_and_sources(tmp_path: Path) -> None:
    found = read(copies.write_urbansound8k(tmp_path, ("siren",), per_fold=2))
    assert found["58450-8-0-1.wav"] == Recording("audio/fold9/58450-8-0-1.wav", "siren", "validation", "58450")
    assert counted(list(found.values())) == "16 train, 2 validation, 2 test"
    assert len({soundfile.info(tmp_path / r.file).samplerate for r in found.values()}) == 4


@pytest.mark.parametrize("write", [copies.write_esc50, copies.write_urbansound8k])
def test_a_table_with_another_fold_or_without_a_column_is_refused(write, tmp_path: Path) -> None:
    folder = write(tmp_path, ("siren",))
    table = next(folder.glob("meta*/*.csv"))
    kept = table.read_text()
    table.write_text(kept.replace(",2,", ",11,"))
    with pytest.raises(BadArtifactError, match=r"fold '11'; the official folds are 1 to (5|10)\."):
        read_set(folder)
    table.write_text(kept)
    copies.drop_column(table, "fold")
    with pytest.raises(BadArtifactError, match=r"lacks the column 'fold'; it must have: .*\.$"):
        read_set(folder)


@pytest.mark.parametrize(("root", "suffix"), [("genres_original", ".wav"), ("genres", ".au"), ("", ".wav")])
def test_gtzan_without_lists_says_that_artists_leak(root: str, suffix: str, tmp_path: Path) -> None:
    folder = copies.write_gtzan(tmp_path, ("blues", "jazz"), 20, root, suffix)
    found = read_set(folder)
    assert len(found.recordings) == 40  # not the corrupted one
    assert any(f"jazz.00054{suffix} cannot be read and is left out" in note for note in found.notes)
    assert any("artists leak" in note for note in found.notes)
    assert any(counted(found.recordings) in note for note in found.notes)
    for genre in ("blues", "jazz"):
        assert Counter(r.split for r in found.recordings if r.label == genre) == {
            "train": 14,
            "validation": 3,
            "test": 3,
        }


def test_gtzan_keeps_a_good_copy_of_the_damaged_file(tmp_path: Path) -> None:
    folder = copies.write_gtzan(tmp_path, ("jazz",), 55, corrupted=False)
    found = read_set(folder)
    assert len(found.recordings) == 55
    assert not any("jazz.00054" in note for note in found.notes)


@pytest.mark.parametrize("beside", [False, True])
def test_gtzan_follows_the_artist_aware_lists(beside: bool, tmp_path: Path) -> None:
    folder = copies.write_gtzan(tmp_path / "gtzan", ("blues", "jazz"), lists=True)
    for name in ("train", "valid", "test") if beside else ():
        (folder / f"{name}_filtered.txt").rename(tmp_path / f"{name}_filtered.txt")
    found = {Path(r.file).stem: r.split for r in read_set(folder).recordings}
    assert {n: s for n, s in found.items() if n.startswith("blues")} == {
        "blues.00001": "validation",
        **dict.fromkeys(("blues.00002", "blues.00003"), "test"),
        **{f"blues.{i:05}": "train" for i in range(4, 10)},
    }
    notes = read_set(folder).notes
    assert any(note == "2 files are left out: the artist-aware lists do not name them." for note in notes)
    assert not any("leak" in note for note in notes)
    next(tmp_path.rglob("valid_filtered.txt")).unlink()  # an incomplete split is none
    assert any("artists leak" in note for note in read_set(folder).notes)


def test_ravdess_is_split_by_actor(tmp_path: Path) -> None:
    folder = copies.write_ravdess(tmp_path, emotions=("calm", "surprised"), songs=True)
    found = read(folder)
    name = "03-01-08-01-01-01-20.wav"
    assert found[name] == Recording(f"Actor_20/{name}", "surprised", "validation", "actor20", "female")
    assert found["03-01-02-01-01-01-21.wav"].gender == "male"
    sources = {split: sorted(int(g[5:]) for g in groups) for split, groups in by_split(read_set(folder)).items()}
    assert sources == {"train": [*range(1, 17)], "validation": [*range(17, 21)], "test": [*range(21, 25)]}
    assert read_set(folder).notes == ("24 songs are left out: only speech is read.",)
    second = folder / "audio_speech_actors_01-24"  # one copy that goes round holds all actors twice
    for actor in ("Actor_01", "Actor_02"):
        (second / actor).mkdir(parents=True)
        for file in (folder / actor).iterdir():
            (second / actor / file.name).write_bytes(file.read_bytes())
    assert read(folder) == found


def test_emodb_is_split_by_speaker(tmp_path: Path) -> None:
    folder = copies.write_emodb(tmp_path)
    found = read(folder)
    assert found["03a01Fa.wav"] == Recording("wav/03a01Fa.wav", "happy", "train", "speaker03", "male")
    assert {found[f"16b02{letter}a.wav"].label for letter in "WLEAFTN"} == set(read_set(folder).class_names)
    for split in SPLITS:
        of_split = [r for r in found.values() if r.split == split]
        assert {r.gender for r in of_split} == {"female", "male"}
        assert len({r.label for r in of_split}) == 7
    assert by_split(read_set(folder)) == {
        "train": {"speaker03", "speaker08", "speaker09", "speaker10", "speaker11", "speaker13"},
        "validation": {"speaker12", "speaker14"},
        "test": {"speaker15", "speaker16"},
    }
    (folder / "wav" / "04a01Fa.wav").write_bytes(b"")
    with pytest.raises(BadArtifactError, match=r"of speaker 04; EmoDB has 03, 08"):
        read_set(folder)


@pytest.mark.parametrize("table", [False, True])
def test_gender_and_emotion_come_from_one_label(table: bool, tmp_path: Path) -> None:
    folder = copies.write_gender_emotion(tmp_path, ("female_happy", "male_sad", "male_happy"), 7, table)
    found = read_set(folder)
    assert Counter((r.gender, r.label) for r in found.recordings) == dict.fromkeys(
        (("female", "happy"), ("male", "sad"), ("male", "happy")), 7
    )
    assert all(f"{r.gender}_{r.label}" in r.file for r in found.recordings)
    assert "Nobody knows their sources" in found.notes[0]
    if not table:
        copies.write_gender_emotion(tmp_path, ("female_sad",), 1)
        (tmp_path / "female_sad").rename(tmp_path / "child")  # one other label, and all of them are plain labels
        assert detect(tmp_path) == "folders"
        assert {r.label for r in read_set(tmp_path).recordings} == {"child", "female_happy", "male_sad", "male_happy"}


def test_speakers_are_known_from_the_names_of_known_corpora(tmp_path: Path) -> None:
    names = {
        "03-01-05-01-02-01-12.wav": "12", "a/1076_MTI_SAD_XX.wav": "1076", "OAF_back_angry.wav": "OAF",
        "DC_sa05.wav": "DC", "JE_a01.wav": "JE", "clip_12.wav": "", "DCsomething.wav": "", "10761_X.wav": "",
    }  # fmt: skip
    assert {name: speaker_of(name) for name in names} == names
    rows = [(f"{actor}_DFA_{e}_{i}.wav", f"female_{e.lower()}") for actor in range(1001, 1021) for e in ("SAD", "HAP")
            for i in ("XX", "LO")]  # fmt: skip
    copies.write_table(tmp_path, ("audio", "labels"), rows, "metadata.csv")
    found = read_set(tmp_path)
    assert found.layout == "gender_emotion"
    groups = by_split(found)
    assert sum(len(g) for g in groups.values()) == 20  # no speaker in two splits
    assert all(groups[split] for split in SPLITS)
    assert "hash of their sources" in found.notes[0]


# ---- tables and folders ---------------------------------------------------------------------------------------------
def test_our_own_table_must_say_the_split(tmp_path: Path) -> None:
    rows = [("a.wav", "x", "train", "s1", "female"), ("b.wav", "x", "val", "s2", "")]
    folder = copies.write_table(tmp_path, ("file", "label", "split", "group", "gender"), rows)
    assert read_set(folder).recordings == (
        Recording("a.wav", "x", "train", "s1", "female"),
        Recording("b.wav", "x", "validation", "s2", ""),
    )
    assert read_set(folder).notes == ()  # no test split is made up for it
    table = folder / "clips.csv"
    table.write_text("file,label,split\na,x,test\nb,y,test\nc,y,test\nd,x,validation\n")
    assert Counter((r.label, r.split) for r in read_set(folder).recordings)["y", "validation"] == 1
    assert "y (validation)" in read_set(folder).notes[0]
    copies.write_table(tmp_path, ("file", "label", "split", "group", "gender"), rows)
    kept = table.read_text()
    for old, new, said in (
        ("val,", "third,", r"split 'third'; accepted are train, validation, test\.$"),
        ("split", "part", r"lacks the column 'split'; it must have: file, split, label\.$"),
        ("b.wav,x,val,s2,", "b.wav,x", r"line 3 has too few values; the columns are: file, label"),
        ("b.wav", "", r"a recording without a file or a label: 'x'\.$"),
        ("a.wav", "\xe9.wav", r"is not a table in UTF-8"),
    ):
        table.write_text(kept.replace(old, new, 1), encoding="latin-1")
        with pytest.raises(BadArtifactError, match=said):
            read_set(folder)
    table.write_text(kept.splitlines()[0])
    with pytest.raises(BadArtifactError, match="lists no recording"):
        read_set(folder)


def test_any_table_is_read_whatever_its_spelling(tmp_path: Path) -> None:
    folder = copies.write_table(tmp_path, ("x", "y"), [("audio/a.wav", "dog"), ("audio/b.wav", "cat")], "list.csv")
    (folder / "list.csv").write_text(
        "\ufeffPath; Class;Set ;Speaker;Sex\na.wav;dog;Training;s1;Female\nb.wav;cat;dev;s2;M\nc.wav;cat;test;s3;m\n",
        encoding="utf-8",
    )
    assert read_set(folder).recordings == (
        Recording("audio/a.wav", "dog", "train", "s1", "female"),
        Recording("audio/b.wav", "cat", "validation", "s2", "male"),
        Recording("audio/c.wav", "cat", "test", "s3", "male"),
    )
    (folder / "notes.csv").write_text("file;text,label\nx,y\n")  # no column of labels: it is no such table
    assert len(read_set(folder).recordings) == 3
    (folder / "other.csv").write_text("file,label\na.wav,dog\n")
    with pytest.raises(BadArtifactError, match=r"must hold one table .*it holds: list\.csv, other\.csv\.$"):
        read_set(folder)


def test_folds_of_a_table_are_splits(tmp_path: Path) -> None:
    rows = [(f"{i}.wav", "xy"[i % 2], str(1 + i % 10)) for i in range(20)]
    found = read_set(copies.write_table(tmp_path, ("file", "label", "fold"), rows, "table.csv"))
    assert {r.split for r in found.recordings if int(Path(r.file).stem) % 10 == 9} == {"test"}  # fold 10, not fold 9
    assert counted(found.recordings) == "16 train, 2 validation, 2 test"
    assert found.notes == ("Fold 10 is test, fold 9 validation, the other 8 are train.",)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "eval")])
def test_folders_of_splits_are_kept(names: tuple[str, ...], tmp_path: Path) -> None:
    found = read_set(copies.write_folders(tmp_path, per_class=3, splits=names))
    assert counted(found.recordings) == "6 train, 6 validation, 6 test"
    assert found.notes == ()
    assert all(r.file.startswith(dict(zip(SPLITS, names, strict=True))[r.split]) for r in found.recordings)


def test_a_validation_split_that_is_missing_comes_from_train(tmp_path: Path) -> None:
    found = read_set(copies.write_folders(tmp_path, per_class=20, splits=("train", "test")))
    assert counted(found.recordings) == "34 train, 6 validation, 40 test"
    assert {r.file.split("/")[0] for r in found.recordings if r.split == "validation"} == {"train"}
    assert "no validation split" in found.notes[0]
    assert "34 train, 6 validation, 40 test" in found.notes[0]


# ---- dealing --------------------------------------------------------------------------------------------------------
def made_up(n: int, groups: int = 0) -> list[Recording]:
    return [Recording(f"{i}.wav", "abc"[i % 3], "", f"g{i // 3 % groups}" if groups else "") for i in range(n)]


@pytest.mark.parametrize("groups", [0, 20])
def test_dealing_is_the_same_in_every_order(groups: int) -> None:
    recordings = made_up(120, groups)
    dealt = {r.file: r.split for r in with_all_splits(recordings)[0]}
    for seed in range(3):
        shuffled = random.Random(seed).sample(recordings, len(recordings))
        assert shuffled != recordings
        completed, notes = with_all_splits(shuffled)
        assert [r.file for r in completed] == [r.file for r in shuffled]
        assert {r.file: r.split for r in completed} == dealt
        assert counted(completed) in notes[0]
    fewer = {r.file: r.split for r in with_all_splits([r for r in recordings if r.label != "c"])[0]}
    if not groups:
        assert all(dealt[file] == split for file, split in fewer.items())  # each class on its own
    for c in "abc":
        n = Counter(dealt[r.file] for r in recordings if r.label == c)
        assert n["train"] == pytest.approx(28, abs=2)
        assert min(n["validation"], n["test"]) >= 4


def test_clips_without_a_split_are_dealt_to_train_and_to_what_is_lacking() -> None:
    tested = [Recording(f"test/{i}.wav", "a", "test") for i in range(5)]
    completed, _ = with_all_splits([*tested, *made_up(60)])
    assert completed[:5] == tested
    assert {r.split for r in completed[5:]} == {"train", "validation"}


def test_dealing_never_divides_a_group() -> None:
    recordings = made_up(120, 20)
    completed, _ = with_all_splits(recordings)
    splits = defaultdict(set)
    for r in completed:
        splits[r.group].add(r.split)
    assert all(len(s) == 1 for s in splits.values())
    alone, _ = with_all_splits([Recording(r.file, r.label, "") for r in recordings])
    blind = defaultdict(set)
    for known, r in zip(recordings, alone, strict=True):
        blind[known.group].add(r.split)
    assert any(len(s) > 1 for s in blind.values())  # by clip, it would


@pytest.mark.parametrize("n", range(3, 12))
def test_small_classes_reach_every_split(n: int) -> None:
    splits = Counter(deal(made_up(n), {"train": 0.7, "test": 0.15, "validation": 0.15}))
    if n % 3 == 0 and n > 6:
        assert set(splits) == set(SPLITS)
    assert splits["train"] >= n / 3


def test_what_is_complete_is_left_alone() -> None:
    recordings = [Recording(f"{s}.wav", "a", s) for s in SPLITS]
    assert with_all_splits(recordings) == (recordings, [])
    assert with_classes_in_both(recordings) == (recordings, [])
    without = [*recordings, Recording("more.wav", "a", "")]
    assert with_all_splits(without) == (without, [])


def test_a_class_that_one_split_holds_out_comes_into_both() -> None:
    complete = [Recording(f"a/{s}.wav", "a", s) for s in SPLITS]
    jazz = [Recording(f"jazz/{i}.wav", "jazz", "validation", f"track{i // 2}") for i in range(8)]
    trained = [Recording(f"jazz/train{i}.wav", "jazz", "train", f"other{i}") for i in range(4)]
    lone = [Recording("clap.wav", "clap", "test", "kit")]
    recordings = [*complete, *jazz, *trained, *lone]
    completed, notes = with_classes_in_both(recordings)
    assert [replace(r, split="") for r in completed] == [replace(r, split="") for r in recordings]
    assert [r for r in completed if r.label != "jazz"] == [*complete, *lone]  # one source cannot be in both
    now = [r for r in completed if r.label == "jazz"]
    assert Counter(r.split for r in now) == {"train": 4, "validation": 4, "test": 4}
    assert all(r.split == "train" for r in now if r.group.startswith("other"))
    assert len({(r.group, r.split) for r in now}) == len({r.group for r in now})  # no source is divided
    assert len(notes) == 1
    assert "jazz (test)" in notes[0]
    only_trained = [*jazz, *trained]  # the set has no test split at all: that is for `with_all_splits`
    assert with_classes_in_both(only_trained) == (only_trained, [])


def test_a_source_of_two_classes_is_not_divided() -> None:
    """Two emotions a speaker, of which the test split lacks one."""
    complete = [Recording(f"happy/{s}.wav", "happy", s, s) for s in SPLITS]
    both = [
        Recording(f"{label}/{i}.wav", label, "validation", f"speaker{i}")
        for label in ("happy", "sad")
        for i in range(4)
    ]
    recordings = [*complete, *both]
    completed, notes = with_classes_in_both(recordings)
    assert completed == recordings
    assert len(notes) == 1
    assert "they stay there because their sources hold other classes too: sad (test)." in notes[0]
    sad_alone = [Recording(f"sad/{i}.wav", "sad", "validation", f"speaker{i}") for i in range(4, 8)]
    completed, notes = with_classes_in_both([*recordings, *sad_alone])
    assert completed[: len(recordings)] == recordings
    assert Counter(r.split for r in completed[len(recordings) :]) == {"validation": 2, "test": 2}
    assert len(notes) == 1
    assert "lacked them: sad (test)." in notes[0]
