"""`data check` finds what makes figures wrong, `data import` writes a set that is read like any other."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskvec_demo.cli import main
from taskvec_demo.errors import BadArtifactError, TaskVecError
from taskvec_demo.lab.data import importer as data_import
from taskvec_demo.lab.data.check import check
from taskvec_demo.lab.data.importer import import_set
from taskvec_demo.recordings.layouts import read_set
from taskvec_demo.recordings.splits import counted
from tests.support import layout_copies as copies


# ---- data check -----------------------------------------------------------------------------------------------------
@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    return copies.write_esc50(tmp_path / "data" / "ESC-50", ("dog", "rain"))


def checked(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> tuple[int, dict]:
    code = main(["data", "check", str(folder), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_a_good_set_has_no_problem(esc50: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "check", str(esc50)]) == 0
    shown = capsys.readouterr().out
    assert "ESC-50: layout esc50, 10 clips, 2 classes: 6 train, 2 validation, 2 test" in shown
    assert "10 at 44100 Hz" in shown
    assert "No problem found." in shown
    code, report = checked(esc50, capsys)
    (found,) = report["sets"]
    assert code == report["problems"] == 0
    assert found["classes"] == {c: {"train": 3, "validation": 1, "test": 1} for c in ("dog", "rain")}
    assert found["seconds"] == [copies.SECONDS] * 3
    assert found["rates"] == {"44100": 10}


def test_a_rate_says_what_is_missing_above_it(esc50: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "check", str(esc50), "--rate", "48000"]) == 0
    assert "10 have less than 48000 Hz" in capsys.readouterr().out
    assert main(["data", "check", str(esc50), "--rate", "16000"]) == 0
    assert "have less than" not in capsys.readouterr().out


@pytest.mark.parametrize("rate", ["0", "-5"])
def test_a_rate_below_one_is_refused(esc50: Path, rate: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["data", "check", str(esc50), "--rate", rate]) == 2
    assert f"--rate is a sampling rate in Hz, at least 1, not {rate}." in capsys.readouterr().err


def test_unreadable_and_missing_files_are_named(esc50: Path, capsys: pytest.CaptureFixture) -> None:
    copies.corrupt(esc50 / "audio" / "1-100100-A-0.wav")
    (esc50 / "audio" / "2-100200-A-0.wav").unlink()
    code, report = checked(esc50, capsys)
    unreadable = report["sets"][0]["unreadable"]
    assert code == 1
    assert set(unreadable) == {"audio/1-100100-A-0.wav", "audio/2-100200-A-0.wav"}
    assert "1-100100-A-0.wav is not a recording" in unreadable["audio/1-100100-A-0.wav"]
    assert "does not exist" in unreadable["audio/2-100200-A-0.wav"]
    assert report["problems"] == 2
    assert sum(report["sets"][0]["rates"].values()) == 8


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [None, "16000"])
def test_whole_clips_that_are_too_short_are_a_note_and_no_problem(esc50: Path, capsys, channels, rate) -> None:
    files = sorted((esc50 / "audio").iterdir())[:2]
    for file, seconds in zip(files, (0.05, 0.099), strict=True):
        soundfile.write(file, np.full((round(seconds * 44_100), channels), 0.1), 44_100)
    code, report = checked(esc50, capsys, *(("--rate", rate) if rate else ()))
    assert code == report["problems"] == 0
    said = f"2 of 10 clips are shorter than 0.1 s and left out: audio/{files[0].name}, audio/{files[1].name}."
    assert said in report["sets"][0]["notes"]
    assert report["sets"][0]["seconds"][0] == copies.SECONDS


def test_a_name_that_is_not_utf8_is_shown_with_question_marks(tmp_path: Path, capsys) -> None:
    folder = copies.write_folders(tmp_path / "set")
    (folder / "dog" / "0.wav").rename(os.fsdecode(os.fsencode(folder) + b"/dog/aboiement\xe9.wav"))
    copies.corrupt(next(folder.glob("dog/abo*")))
    code, report = checked(folder, capsys)
    assert code == report["problems"] == 1
    assert list(report["sets"][0]["unreadable"]) == ["dog/aboiement?.wav"]
    assert main(["data", "check", str(folder)]) == 1
    assert "aboiement?.wav" in capsys.readouterr().out


def test_the_length_is_that_of_the_sound_whatever_the_header_says(esc50: Path, capsys: pytest.CaptureFixture) -> None:
    for file in (esc50 / "audio").iterdir():
        content = bytearray(file.read_bytes())
        content[40:44] = bytes(4)  # nobody closed it
        file.write_bytes(content)
    code, report = checked(esc50, capsys)
    assert code == 0
    assert report["sets"][0]["seconds"] == [copies.SECONDS] * 3


def test_the_same_sound_in_two_splits_is_a_problem_in_one_it_is_told(esc50: Path, capsys) -> None:
    audio = esc50 / "audio"
    shutil.copy(audio / "1-100100-A-0.wav", audio / "2-100200-A-0.wav")  # both train
    code, report = checked(esc50, capsys)
    assert (code, report["crossing"]) == (0, [])
    assert report["duplicates"] == [
        ["ESC-50/audio/1-100100-A-0.wav (train, dog)", "ESC-50/audio/2-100200-A-0.wav (train, dog)"]
    ]
    samples, rate = soundfile.read(audio / "4-100400-A-0.wav", dtype="int16")
    soundfile.write(audio / "1-110100-A-10.wav", samples, rate, format="FLAC")  # another file of the same sound
    code, report = checked(esc50, capsys)
    assert (code, len(report["duplicates"]), report["problems"]) == (1, 2, 1)
    assert report["crossing"] == [
        ["ESC-50/audio/4-100400-A-0.wav (validation, dog)", "ESC-50/audio/1-110100-A-10.wav (train, rain)"]
    ]


def test_sets_of_one_folder_are_held_against_each_other(esc50: Path, capsys: pytest.CaptureFixture) -> None:
    data = esc50.parent
    rows = [("a.wav", "dog", "test", "s1"), ("b.wav", "dog", "train", "s2"), ("c.wav", "rain", "train", "")]
    mine = copies.write_table(data / "mine", ("file", "label", "split", "group"), rows)
    (data / "papers").mkdir()
    assert checked(data, capsys)[0] == 0
    shutil.copy(esc50 / "audio" / "1-100100-A-0.wav", mine / "a.wav")
    code, report = checked(data, capsys)
    assert code == 1
    assert [s["name"] for s in report["sets"]] == ["ESC-50", "mine"]
    assert report["crossing"] == [["ESC-50/audio/1-100100-A-0.wav (train, dog)", "mine/a.wav (test, dog)"]]
    assert report["notes"] == ["Of no known layout, and not looked at: papers."]
    assert main(["data", "check", str(data)]) == 1
    shown = capsys.readouterr().out
    assert "duplicates across splits: 1\n  ESC-50/audio/1-100100-A-0.wav (train, dog) = mine/a.wav (test, dog)" in shown
    assert shown.rstrip().endswith("1 problem.")


def test_a_source_in_two_splits_is_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [
        ("a.wav", "x", "train", "s1"),
        ("b.wav", "x", "test", "s1"),
        ("c.wav", "x", "test", ""),
        ("d.wav", "x", "train", ""),
    ]
    folder = copies.write_table(tmp_path / "set", ("file", "label", "split", "group"), rows)
    code, report = checked(folder, capsys)
    assert (code, report["problems"]) == (1, 1)
    assert report["sets"][0]["leaks"] == {"s1": ["train", "test"]}  # not the sources that nobody knows


def test_what_is_no_set_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        assert main(["data", "check", str(folder)]) == 2
        assert "accepted are: clips.csv" in capsys.readouterr().err
    copies.write_folders(tmp_path / "set", per_class=1)
    assert main(["data", "check", str(tmp_path / "set"), "--layout", "gtzan"]) == 2
    assert "does not have the layout gtzan" in capsys.readouterr().err
    assert check(tmp_path / "set", "folders").sets[0].layout == "folders"


# ---- data import ----------------------------------------------------------------------------------------------------
def encoded(index: int, seed: str, rate: int = 16_000, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, copies.sound(index, seed, rate), rate, format="WAV", subtype=subtype)
    return file.getvalue()


def write_parquet(folder: Path, splits: dict[str, list[dict]], class_names: tuple[str, ...] = ()) -> Path:
    """Write a repository as `push_to_hub` lays it out, with `datasets` itself."""
    import datasets
    from datasets import Audio, ClassLabel, Value

    datasets.disable_progress_bars()
    (folder / "data").mkdir(parents=True)
    for split, rows in splits.items():
        kinds = {key: Value("int64" if isinstance(value, int) else "string") for key, value in rows[0].items()}
        if class_names:
            kinds["label"] = ClassLabel(names=list(class_names))
        kinds["audio"] = {"bytes": Value("binary"), "path": Value("string")}
        table = datasets.Dataset.from_list(rows, features=datasets.Features(kinds)).cast_column("audio", Audio())
        table.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")
    return folder


def clip(index: int, seed: str, path: str | None = None, **columns: str | int) -> dict:
    return {"audio": {"bytes": encoded(index, seed), "path": path}, **columns}


def test_a_repository_of_parquet_keeps_its_splits_and_samples(tmp_path: Path, capsys) -> None:
    names = ("dog", "rain")
    rows = {
        split: [clip(i % 2, f"{split}{i}", f"{split}{i}.wav", label=i % 2) for i in range(n)]
        for split, n in (("train", 20), ("test", 4))
    }
    rows["test"][1]["audio"]["path"] = None
    repository = write_parquet(tmp_path / "repository", rows, names)
    (tmp_path / ".set.partial" / "audio").mkdir(parents=True)  # as a killed run leaves
    (tmp_path / ".set.partial" / "audio" / "half.flac").touch()
    assert main(["data", "import", str(repository), "--to", str(tmp_path / "set")]) == 0
    said = capsys.readouterr()
    assert "24 clips, 2 classes: 16 train, 4 validation, 4 test." in said.out
    assert "no validation split" in said.err
    found = read_set(tmp_path / "set")
    assert counted(found.recordings) == "16 train, 4 validation, 4 test"
    labels = {r.file: r.label for r in found.recordings}
    assert labels["audio/train3.flac"] == "rain"
    assert labels["audio/test-000001.flac"] == "rain"  # it had no name
    for i in range(20):
        samples, rate = soundfile.read(tmp_path / "set" / "audio" / f"train{i}.flac", dtype="int16")
        expected, _ = soundfile.read(io.BytesIO(rows["train"][i]["audio"]["bytes"]), dtype="int16")
        assert rate == 16_000
        assert np.array_equal(samples, expected)
    origin = json.loads((tmp_path / "set" / "source.json").read_text())
    assert (origin["source"], origin["revision"], origin["clips"]) == (str(repository), None, 24)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["repository", "set"]  # nothing half done is left
    assert len(list((tmp_path / "set" / "audio").iterdir())) == 24


def test_gender_emotion_recognition_becomes_gender_and_label_by_speaker(tmp_path: Path) -> None:
    rows = [
        clip(k, f"{actor}{k}", f"{actor}_IEO_{'SAD' if k % 2 else 'HAP'}_XX.wav", labels=label, source="CREMA-D")
        for actor in range(1001, 1013)
        for k, label in enumerate(("female_happy", "female_sad"))
    ]
    rows[5]["audio"]["bytes"] = b"junk"
    done = import_set(str(write_parquet(tmp_path / "repository", {"train": rows})), tmp_path / "set")
    assert len(done.recordings) == 23
    assert "1 of 24 clips cannot be decoded and are left out: train 5 (1003_IEO_SAD_XX.wav)." in done.notes
    assert {(r.gender, r.label) for r in done.recordings} == {("female", "happy"), ("female", "sad")}
    splits = {r.group: {s.split for s in done.recordings if s.group == r.group} for r in done.recordings}
    assert len(splits) == 12
    assert all(len(s) == 1 for s in splits.values())
    assert set.union(*splits.values()) == {"train", "validation", "test"}
    assert read_set(tmp_path / "set").recordings == done.recordings


def test_a_clip_without_a_label_is_left_out(tmp_path: Path) -> None:
    names = ("dog", "rain")
    rows = {
        "train": [clip(0, f"train{i}", f"train{i}.wav", label=i % 2) for i in range(20)],
        "test": [clip(0, f"test{i}", f"test{i}.wav", label=-1) for i in range(3)],  # as competitions publish it
    }
    rows["train"][4]["label"] = -1
    done = import_set(str(write_parquet(tmp_path / "repository", rows, names)), tmp_path / "set")
    assert {r.file: r.label for r in done.recordings} == {
        f"audio/train{i}.flac": names[i % 2] for i in range(20) if i != 4
    }
    assert "4 of 23 clips have no label and are left out." in done.notes
    nothing = str(write_parquet(tmp_path / "nothing", {"test": rows["test"]}, names))
    with pytest.raises(BadArtifactError, match=r"^None of the 3 clips can be decoded and has a label\.$"):
        import_set(nothing, tmp_path / "other")


def test_clips_of_an_unknown_source_are_not_of_one_source(tmp_path: Path) -> None:
    rows = [clip(0, str(i), f"{i}.wav", label="ab"[i % 2], speaker=i % 3) for i in range(12)]
    for row in rows[6:]:
        row["speaker"] = None
    done = import_set(str(write_parquet(tmp_path / "repository", {"train": rows})), tmp_path / "set")
    assert [r.group for r in done.recordings] == ["0", "1", "2", "0", "1", "2", *[""] * 6]


def test_official_folds_and_sources_of_a_repository_with_one_split_are_used(tmp_path: Path) -> None:
    rows = [
        clip(0, str(i), f"{i}.wav", category="dog", target=0, fold=1 + i % 5, src_file=100 + i % 5) for i in range(10)
    ]
    done = import_set(str(write_parquet(tmp_path / "repository", {"train": rows})), tmp_path / "set")
    folds = {"1": "train", "2": "train", "3": "train", "4": "validation", "5": "test"}
    assert all(r.split == folds[str(1 + int(Path(r.file).stem) % 5)] for r in done.recordings)
    assert {r.group for r in done.recordings} == {str(100 + i) for i in range(5)}
    assert done.notes == ("Fold 5 is test, fold 4 validation, the other 3 are train.",)


def test_a_clip_without_a_fold_is_in_no_split(tmp_path: Path) -> None:
    rows = [clip(0, str(i), f"{i}.wav", category="dog", target=0, fold=1 + i % 3) for i in range(9)]
    rows[4]["fold"] = None
    done = import_set(str(write_parquet(tmp_path / "repository", {"train": rows})), tmp_path / "set")
    assert [r.split for r in done.recordings] == [
        "" if i == 4 else ("train", "validation", "test")[i % 3] for i in range(9)
    ]
    assert done.notes == ("Fold 3 is test, fold 2 validation, the other one is train.",)


def test_an_audiofolder_is_imported(tmp_path: Path) -> None:
    copies.write_folders(tmp_path / "folder", per_class=8, splits=("train", "test"))
    done = import_set(str(tmp_path / "folder"), tmp_path / "set")
    assert counted(done.recordings) == "12 train, 4 validation, 16 test"
    assert {r.label for r in done.recordings} == {"dog", "rain"}
    assert len({r.file for r in done.recordings}) == 32  # equal names in four folders
    assert all(soundfile.info(tmp_path / "set" / r.file).samplerate == 32_000 for r in done.recordings)


def test_what_cannot_be_imported_is_refused_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    rows = [clip(0, "a", "a.wav", label="dog", mood="good"), clip(1, "b", "b.wav", label="cat", mood="bad")]
    repository = str(write_parquet(tmp_path / "repository", {"train": rows}))
    to = tmp_path / "set"
    for options, said in (
        ({"label": "colour"}, r"--label 'colour' is no column of the repository; its columns are audio, label, mood\."),
        ({"audio": "mood"}, r"'mood' holds neither sound files|None of the 2 clips can be decoded"),
        ({"config": "large"}, r"cannot be read as a repository of `datasets` \("),
    ):
        with pytest.raises(BadArtifactError, match=said):
            import_set(repository, to, **options)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["repository"]
    assert {r.label for r in import_set(repository, to, label="mood").recordings} == {"good", "bad"}
    with pytest.raises(TaskVecError, match=r"set is there already: --to takes a new or an empty folder\."):
        import_set(repository, to)
    other = str(write_parquet(tmp_path / "other", {"train": rows, "extra": rows}))
    with pytest.raises(BadArtifactError, match=r"splits train, extra, of which 'extra' is none of train, validation"):
        import_set(other, tmp_path / "again")
    with pytest.raises(BadArtifactError, match=r"neither a folder nor the id of a repository such as"):
        import_set("nothing at all", tmp_path / "again")
    monkeypatch.setattr(data_import, "_write_flac", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        import_set(repository, tmp_path / "again")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other", "repository", "set"]


def test_a_repository_comes_from_the_cache_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    commit, cached = "5bd1240" + 33 * "0", tmp_path / "hub" / "datasets--someone--sounds"
    rows = [clip(i % 2, str(i), f"{i}.wav", label="ab"[i % 2]) for i in range(10)]
    write_parquet(cached / "snapshots" / commit, {"train": rows})
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    done = import_set("someone/sounds", tmp_path / "set")
    assert done.revision == commit
    assert len(done.recordings) == 10
    with pytest.raises(BadArtifactError, match=r"'someone/else' is not in the hub's cache .* HF_HUB_OFFLINE"):
        import_set("someone/else", tmp_path / "other")


def test_deep_and_loud_sound_is_not_cut_off(tmp_path: Path) -> None:
    samples = np.linspace(-1.5, 1.5, 4_000)
    loud, deep = io.BytesIO(), io.BytesIO()
    soundfile.write(loud, samples, 8_000, format="WAV", subtype="FLOAT")
    soundfile.write(deep, samples / 1e4, 8_000, format="WAV", subtype="PCM_24")
    rows = [
        {"audio": {"bytes": file.getvalue(), "path": f"{name}.wav"}, "label": name}
        for name, file in (("loud", loud), ("deep", deep))
    ]
    import_set(str(write_parquet(tmp_path / "repository", {"train": rows})), tmp_path / "set")
    for name, expected in (("loud", samples / 1.5), ("deep", samples / 1e4)):
        written = soundfile.read(tmp_path / "set" / "audio" / f"{name}.flac")[0]
        assert np.abs(written - expected).max() < 2**-22
    with (tmp_path / "set" / "clips.csv").open(newline="") as file:
        assert next(csv.reader(file)) == ["file", "label", "split", "group", "gender"]
