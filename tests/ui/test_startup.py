"""What is done before gradio and torch are imported: each trick is still needed, and harms nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest
import torch
from gradio import processing_utils

from taskvec_demo.errors import TaskVecError
from taskvec_demo.ui import startup
from tests.support.paths import ARTIFACTS, ROOT

# ---- two processes: one imports as anybody would, one as the app does -----------------------------------------------
WATCH = """
import json, sys
stubs = set()
sys.addaudithook(lambda event, a: stubs.add(str(a[0])) if event == "open" and str(a[0]).endswith(".pyi") else None)
"""
PAGE = """
from pathlib import Path
from taskvec_demo.ui import startup
startup.prepare_process()
from taskvec_demo.serve.artifacts import Artifacts
from taskvec_demo.serve.workbench import Workbench
workbench = Workbench(Artifacts(Path(sys.argv[1])))
startup.page(workbench)
assert workbench.evaluate(workbench.recipe(""))
assert workbench.recipe({"format": 1, "checkpoint": workbench.name, "coefficients": {"urban": 0.5}}).coefficients
early = "transformers" in sys.modules
workbench.checkpoint
assert "transformers" in sys.modules
"""
REPORT = """
import torch, torchaudio, transformers, gradio
from transformers import ClapModel, ClapProcessor
from taskvec_demo.ui import startup
modules = [n for n, m in sys.modules.items() if m is not None]
kinds = {n: k for n, k in vars(gradio).items() if isinstance(k, type) and hasattr(k, "EVENTS")}
components = {n: [str(e) for e in k.EVENTS if hasattr(k, str(e))] for n, k in kinds.items()}
unused = [n for n in startup.UNUSED if n in modules]
print(json.dumps(dict(stubs=len(stubs), components=components, modules=len(modules), unused=unused, early=early)))
"""


def printed(code: str, *arguments: str) -> dict:
    """The JSON that `code` prints last in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def plain() -> dict:
    """What is there after plain imports of gradio, torch and transformers."""
    return printed(WATCH + "early = None\n" + REPORT)


@pytest.fixture(scope="module")
def prepared() -> dict:
    """The same after a start as the app does it: a page on artifacts, and then its model."""
    return printed(WATCH + PAGE + REPORT, str(ARTIFACTS))


def test_gradio_without_stubs_has_the_same_components_and_events(plain, prepared):
    """Fails when gradio no longer writes the files (then `without_stubs` can go), or needs them."""
    assert prepared["components"] == plain["components"]
    assert len(plain["components"]) > 30
    assert plain["stubs"] > 30
    assert prepared["stubs"] == 0


def test_what_is_left_out_would_be_imported(plain, prepared):
    """Fails for a name that nothing imports any longer: then it can go from `UNUSED`."""
    assert plain["unused"] == [name for name in startup.UNUSED if importlib.util.find_spec(name)]
    assert prepared["unused"] == []


def test_what_was_measured_is_shown_before_the_model_is_open(prepared):
    """Page, figures and recipes do not wait for the import of transformers."""
    assert prepared["early"] is False


def test_torch_still_reads_the_variable_for_huge_pages():
    libraries = (Path(torch.__file__).parent / "lib").glob("*c10*")
    assert any(b"THP_MEM_ALLOC_ENABLE" in library.read_bytes() for library in libraries)


@pytest.fixture
def probed(monkeypatch) -> list[Path]:
    """The files that gradio asks ffprobe about, which is told to be there."""
    asked: list[Path] = []

    def audio_is_playable(path: str) -> bool:
        asked.append(Path(path))
        return True

    audio_is_playable.__module__ = processing_utils.__name__
    monkeypatch.setattr(processing_utils, "ffmpeg_installed", lambda: True)
    monkeypatch.setattr(processing_utils, "audio_is_playable", audio_is_playable)
    return asked


def test_gradio_would_ask_ffprobe_of_every_example(probed, tmp_path):
    """Fails when gradio no longer asks: then `without_probes_of_flac` can go."""
    flac, wav = tmp_path / "a.FLAC", tmp_path / "a.wav"
    gr.Audio(str(flac))
    assert probed.pop() == flac
    startup.without_probes_of_flac()
    startup.without_probes_of_flac()
    for path in (flac, wav):
        gr.Audio(str(path))
    assert probed == [wav]


@pytest.mark.parametrize("start", ["import app; app._parser()", "from taskvec_demo import cli; cli._parser()"])
def test_help_waits_for_no_large_package(start):
    code = f"{start}; import sys; print([n for n in ('gradio', 'torch', 'transformers', 'numpy') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
    assert done.stdout.decode().strip() == "[]"


# ---- where gradio keeps files ---------------------------------------------------------------------------------------
@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The machine's temporary folder, in which no GRADIO_TEMP_DIR is set."""
    monkeypatch.setattr(startup.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # so that it is taken back afterwards
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    return tmp_path


@pytest.fixture
def nobody_writes(monkeypatch):
    """Folders are writable by their mode alone, as they are to everybody but the administrator."""
    monkeypatch.setattr(startup.os, "access", lambda path, _: bool(Path(path).stat().st_mode & stat.S_IWUSR))


def test_gradios_own_folder_is_used_where_it_is_ours(temporary):
    startup.own_uploads_folder()
    assert "GRADIO_TEMP_DIR" not in os.environ


def test_the_folder_of_somebody_else_is_left_alone(temporary, monkeypatch):
    (temporary / "gradio").mkdir()
    monkeypatch.setattr(startup.os, "getuid", lambda: 12345, raising=False)
    startup.own_uploads_folder()
    own = Path(os.environ["GRADIO_TEMP_DIR"])
    assert own.parent == temporary
    assert own.name != "gradio"


@pytest.mark.usefixtures("nobody_writes")
def test_a_folder_that_cannot_be_written_is_replaced(temporary):
    (temporary / "gradio").mkdir(mode=0o555)
    startup.own_uploads_folder()
    assert Path(os.environ["GRADIO_TEMP_DIR"]).is_dir()


def test_a_file_in_its_place_is_no_obstacle(temporary):
    (temporary / "gradio").write_text("")
    startup.own_uploads_folder()
    assert Path(os.environ["GRADIO_TEMP_DIR"]).is_dir()


def test_a_set_variable_is_obeyed_or_named(temporary, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(temporary / "mine"))
    startup.own_uploads_folder()
    assert os.environ["GRADIO_TEMP_DIR"] == str(temporary / "mine")
    (temporary / "file").write_text("")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(temporary / "file" / "below"))
    with pytest.raises(TaskVecError, match="GRADIO_TEMP_DIR"):
        startup.own_uploads_folder()


def test_no_temporary_folder_at_all_is_one_sentence(temporary, monkeypatch):
    monkeypatch.setattr(startup.tempfile, "tempdir", str(temporary / "nowhere" / "at" / "all"))
    (temporary / "nowhere").write_text("")
    with pytest.raises(TaskVecError, match="GRADIO_TEMP_DIR"):
        startup.own_uploads_folder()
