"""What is done before gradio and torch are imported: each trick is still needed, and harms nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from taskvec_demo.errors import TaskVecError
from taskvec_demo.ui import startup
from tests.support.paths import ROOT

# Prints what an import of gradio does: the .pyi files that it opens, and its components with their events.
GRADIO = """
import contextlib, json, sys
stubs = set()
sys.addaudithook(lambda event, a: stubs.add(str(a[0])) if event == "open" and str(a[0]).endswith(".pyi") else None)
from taskvec_demo.ui.startup import without_stubs
with without_stubs() if {hack} else contextlib.nullcontext():
    import gradio
kinds = {{n: k for n, k in vars(gradio).items() if isinstance(k, type) and hasattr(k, "EVENTS")}}
components = {{n: [str(e) for e in k.EVENTS if hasattr(k, str(e))] for n, k in kinds.items()}}
print(json.dumps([len(stubs), components]))
"""
# Prints which of the packages that are left out an import of the app's own packages brings in, and how many modules.
PACKAGES = """
import json, sys
from taskvec_demo.ui import startup
if {hack}:
    startup.prepare_process()
import torch, torchaudio, transformers, gradio
from transformers import ClapModel, ClapProcessor
modules = [n for n, m in sys.modules.items() if m is not None]
print(json.dumps([len(modules), [n for n in startup.UNUSED if n in modules]]))
"""


def printed(code: str, hack: bool) -> list:
    """The JSON that `code` prints in a process of its own."""
    command = [sys.executable, "-c", code.format(hack=hack)]
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1"}
    return json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment).stdout)


# ---- imports --------------------------------------------------------------------------------------------------------
def test_gradio_without_stubs_has_the_same_components_and_events():
    """Fails when gradio no longer writes the files (then `without_stubs` can go), or needs them."""
    (with_files, plain), (without, bare) = printed(GRADIO, False), printed(GRADIO, True)
    assert bare == plain
    assert len(bare) > 30
    assert with_files > 30
    assert without == 0


def test_what_is_left_out_would_be_imported():
    """Fails for a name that nothing imports any longer: then it can go from `UNUSED`."""
    (all_modules, unused), (modules, none) = printed(PACKAGES, False), printed(PACKAGES, True)
    assert unused == [name for name in startup.UNUSED if importlib.util.find_spec(name)]
    assert none == []
    assert modules < all_modules


def test_torch_still_reads_the_variable_for_huge_pages():
    libraries = (Path(torch.__file__).parent / "lib").glob("*c10*")
    assert any(b"THP_MEM_ALLOC_ENABLE" in library.read_bytes() for library in libraries)


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
