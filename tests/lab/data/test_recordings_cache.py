"""What is trained on: rows of every layout, resampled windows, and a cache that never answers for other recordings."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from taskvec_demo.clap.features import log_mel
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.data import datasets
from taskvec_demo.lab.data.datasets import MAX_WINDOWS, MelStore, read_rows
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.recordings.audio import load_clip, windows
from tests.support import layout_copies as copies

FEATURES = tiny.FEATURES
SETS = ("ESC-50", "UrbanSound8K")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    copies.write_esc50(tmp_path / "data" / "ESC-50", ("dog", "rain"))
    copies.write_urbansound8k(tmp_path / "data" / "UrbanSound8K", ("siren",))
    return tmp_path / "data"


def mel_of(store: MelStore, row: datasets.ClipRow) -> np.ndarray:
    return np.asarray(store.mel[row.first_window : row.first_window + row.n_windows])


# ---- rows -----------------------------------------------------------------------------------------------------------
def test_rows_of_every_layout(data: Path) -> None:
    rows = read_rows(data, SETS)
    assert {(r.dataset, r.split) for r in rows} == {(s, p) for s in SETS for p in ("train", "validation", "test")}
    assert all((data / r.dataset / r.file).is_file() for r in rows)
    with pytest.raises(
        TaskVecError, match=r"GTZAN/clips\.csv is missing: --data takes a folder that holds ESC-50, GTZAN"
    ):
        read_rows(data, ("ESC-50", "GTZAN"))


def test_a_freesound_source_that_one_set_holds_out_is_trained_on_in_none(data: Path) -> None:
    table = data / "UrbanSound8K" / "metadata" / "UrbanSound8K.csv"
    before = read_rows(data, SETS)
    table.write_text(table.read_text().replace(",58050,", ",100500,"))  # fold 1 here, fold 5 (test) in ESC-50
    after = read_rows(data, SETS)
    assert {r.file for r in before} - {r.file for r in after} == {"audio/fold1/58050-8-0-0.wav"}
    own = data.parent / "own"  # as `data import` writes them
    for name, split in zip(SETS, ("train", "test"), strict=True):
        copies.write_table(own / name, ("file", "label", "split", "group"), [("a.wav", "x", split, "7")])
    assert [r.dataset for r in read_rows(own, SETS)] == ["UrbanSound8K"]
    folder = data.parent / "other" / "UrbanSound8K"
    folder.parent.mkdir()
    folder.symlink_to(data / "UrbanSound8K")
    assert len(read_rows(folder.parent, ("UrbanSound8K",))) == 10  # alone it is trained on


def test_what_a_user_must_know_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    copies.write_gtzan(tmp_path / "GTZAN", ("blues", "jazz"), 4)
    assert len(read_rows(tmp_path, ("GTZAN",))) == 8
    said = capsys.readouterr()
    assert "GTZAN: jazz.00054.wav cannot be read and is left out" in said.err
    assert "artists leak" in said.err
    assert said.out == ""


# ---- windows --------------------------------------------------------------------------------------------------------
def test_every_rate_is_resampled_to_the_checkpoints(data: Path, tmp_path: Path) -> None:
    store = MelStore.open(tmp_path / "work", data, FEATURES, read_rows(data, SETS))
    assert len(store.rows) == 20
    for row in store.rows:
        samples = load_clip(data / row.dataset / row.file, FEATURES.sample_rate).samples
        expected = log_mel(windows(samples, FEATURES.n_samples)[:MAX_WINDOWS], FEATURES).half().numpy()[:, 0]
        assert np.array_equal(mel_of(store, row), expected)
    dogs = [mel_of(store, r)[0, :20].mean(0) for r in store.rows if r.label == "dog"]
    rain = mel_of(store, next(r for r in store.rows if r.label == "rain"))[0, :20].mean(0)
    assert max(np.abs(dogs[0] - d).mean() for d in dogs) < np.abs(dogs[0] - rain).mean()  # one pitch, whatever the rate


def test_mono_at_the_checkpoints_rate_is_taken_as_it_is(tmp_path: Path) -> None:
    rows = [("short.wav", "x", "train"), ("loud.wav", "x", "train"), ("long.wav", "x", "train")]
    folder = copies.write_table(tmp_path / "data" / "mine", ("file", "label", "split"), rows)
    for name, seconds, peak in (("short", 0.05, 0.5), ("loud", 1, 1.7), ("long", 12, 0.5)):
        samples = peak * np.sin(np.arange(round(seconds * 16_000)) / 20)
        soundfile.write(folder / f"{name}.wav", samples.astype(np.float32), 16_000, subtype="FLOAT")
    store = MelStore.open(tmp_path / "work", tmp_path / "data", FEATURES, read_rows(tmp_path / "data", ("mine",)))
    assert [r.n_windows for r in store.rows] == [1, 1, 2]
    for row in store.rows:
        samples, _ = soundfile.read(folder / row.file, dtype="float32")
        expected = log_mel(windows(samples, FEATURES.n_samples)[:2], FEATURES).half().numpy()[:, 0]
        assert np.array_equal(mel_of(store, row), expected)


def test_unreadable_clips_are_left_out_and_named_at_every_opening(data: Path, tmp_path: Path, capsys) -> None:
    copies.corrupt(data / "ESC-50" / "audio" / "1-100100-A-0.wav")
    (data / "ESC-50" / "audio" / "5-110500-A-10.wav").unlink()
    rows = read_rows(data, SETS)
    for _ in range(2):
        store = MelStore.open(tmp_path / "work", data, FEATURES, rows)
        assert len(store.rows) == len(rows) - 2
        assert {r.file for r in rows} - {r.file for r in store.rows} == {
            "audio/1-100100-A-0.wav",
            "audio/5-110500-A-10.wav",
        }
        said = capsys.readouterr().err
        assert f"2 of 20 clips in {data} cannot be read and are left out: ESC-50/audio/1-100100-A-0.wav, ESC" in said
    assert [r.first_window for r in store.rows] == list(range(18))
    copies.write_esc50(data / "ESC-50", ("dog", "rain"))  # fetched again
    assert len(MelStore.open(tmp_path / "work", data, FEATURES, rows).rows) == 20
    assert "left out" not in capsys.readouterr().err
    copies.corrupt(data / "ESC-50" / "audio" / "1-100100-A-0.wav")
    alone = [r for r in rows if r.file == "audio/1-100100-A-0.wav"]
    with pytest.raises(TaskVecError, match=r"^None of the 1 clips in .* can be read; `data check` says why\.$"):
        MelStore.open(tmp_path / "work", data, FEATURES, alone)


# ---- the cache ------------------------------------------------------------------------------------------------------
def test_a_cache_is_for_its_rows_features_and_folder_only(data: Path, tmp_path: Path) -> None:
    work, rows = tmp_path / "work", read_rows(data, SETS)
    first = MelStore.files(work, data, FEATURES, rows)
    assert MelStore.files(work, data / ".." / "data", FEATURES, list(rows)) == first
    others = [
        MelStore.files(work, tmp_path, FEATURES, rows),
        MelStore.files(work, data, replace(FEATURES, n_mels=32), rows),
        MelStore.files(work, data, FEATURES, rows[1:]),
        MelStore.files(work, data, FEATURES, [replace(rows[0], label="cat"), *rows[1:]]),
    ]
    assert len({first, *others}) == 5


def test_one_of_many_openers_builds(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built, build, stores = [], datasets._build, []
    monkeypatch.setattr(datasets, "_build", lambda *a: built.append(a) or build(*a))
    rows = read_rows(data, SETS)

    def opening() -> None:
        stores.append(MelStore.open(tmp_path / "work", data, FEATURES, rows))

    threads = [threading.Thread(target=opening) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(stores) == 3
    assert len(built) == 1
    assert stores[0].rows == stores[1].rows == stores[2].rows
    MelStore.open(tmp_path / "work", data, FEATURES, rows[:5])
    assert len(built) == 2
    assert not list((tmp_path / "work").glob("*partial*"))


def test_a_build_that_was_stopped_is_done_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, read, seen = read_rows(data, SETS), datasets.read_clip, []

    def stopped(*a):
        seen.append(a)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return read(*a)

    monkeypatch.setattr(datasets, "read_clip", stopped)
    with pytest.raises(KeyboardInterrupt):
        MelStore.open(tmp_path / "work", data, FEATURES, rows)
    assert not MelStore.files(tmp_path / "work", data, FEATURES, rows)[1].exists()
    store = MelStore.open(tmp_path / "work", data, FEATURES, rows)
    assert len(store.rows) == 20
    assert np.isfinite(store.mel[:20].astype(np.float32)).all()
