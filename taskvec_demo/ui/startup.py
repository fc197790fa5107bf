"""The start of the page: what must be set before gradio and torch are imported, and how the page is served quickly.

Nothing here imports gradio before a function asks for it.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import inspect
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import TaskVecError, replace_unprintable, shortened
from ..serve.cache import share_arenas

if TYPE_CHECKING:  # imported only when a page is built
    import gradio as gr

    from ..serve.workbench import Workbench

Result = TypeVar("Result")

MOST_PORT = 65535  # a port is a number of 16 bits
READY = "The model is open: clips are answered at once from now on."
ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    # Torch asks for huge pages: a new buffer of 113 MB is there in half the time.
    "THP_MEM_ALLOC_ENABLE": "1",
}
# Packages that torch, pandas and transformers import if they are installed, and that this app never uses.
UNUSED = ("triton", "pyarrow", "torchvision")  # MB resident: triton 51, pyarrow 33


def set_environment() -> None:
    """Set the variables of `ENVIRONMENT` that the user has not set; torch and gradio read them when imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def prepare_process() -> None:
    """Do everything that concerns the whole process, in a process that only serves the app."""
    set_environment()
    replace_unprintable()
    share_arenas()
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails as if it were not there


def own_uploads_folder() -> None:
    """Make sure that gradio can write its temporary files. Must be called before gradio is imported.

    By default all users of a machine share one folder, `gradio` in the temporary folder. If that belongs to somebody
    else, this process gets a folder of its own, which is removed at the end. Raises `TaskVecError` if GRADIO_TEMP_DIR
    is set to a folder that cannot be written, or if no temporary folder can.
    """
    asked = os.environ.get("GRADIO_TEMP_DIR")
    if asked:
        if not _is_writable(Path(asked)):
            shown = shortened(asked)
            raise TaskVecError(f"Nothing can be written to GRADIO_TEMP_DIR, {shown!r}; set it to another folder.")
        return
    try:
        shared = Path(tempfile.gettempdir()) / "gradio"
        if not (_is_writable(shared) and _is_owned(shared)):
            own = tempfile.mkdtemp(prefix="gradio-")
            os.environ["GRADIO_TEMP_DIR"] = own
            atexit.register(shutil.rmtree, own, ignore_errors=True)
    except OSError as error:
        raise TaskVecError(
            "No temporary folder can be written; set the variable GRADIO_TEMP_DIR to a folder that can."
        ) from error


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _is_owned(folder: Path) -> bool:
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


@contextlib.contextmanager
def without_stubs() -> Iterator[None]:
    """Import gradio without the .pyi file that it writes for each component, which takes 2.2 s of 4.4.

    Gradio leaves out a component whose class has no file.
    """

    def no_file(of: Any) -> str:
        raise FileNotFoundError(of)

    file_of, inspect.getfile = inspect.getfile, no_file  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = file_of


def without_probes_of_flac() -> None:
    """Let gradio show a FLAC file without asking ffprobe whether browsers play it: they do.

    Where ffprobe is installed, that takes 0.08 s a clip: 0.8 s for the examples at the start, and again for each story.
    Examples and synthesized clips are FLAC or Opus; files of other formats are asked about as before.
    """
    from gradio import processing_utils

    asked = processing_utils.audio_is_playable
    if asked.__module__ != processing_utils.__name__:
        return  # done before in this process

    def audio_is_playable(audio_filepath: str) -> bool:
        return Path(audio_filepath).suffix.lower() == ".flac" or asked(audio_filepath)

    processing_utils.audio_is_playable = audio_is_playable


def in_a_loop(call: Callable[[], Result]) -> Result:
    """The result of `call`, which is called while an event loop runs.

    Without a running loop gradio makes a loop for each of its dozen locks and closes none of them; Python then prints a
    warning for each, in a Space for example.
    """

    async def called() -> Result:
        return call()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(called())
    return call()


def page(workbench: Workbench) -> gr.Blocks:
    """The page on a workbench, not served yet."""
    with without_stubs():
        import gradio  # noqa: F401
    from .app import build_app

    without_probes_of_flac()
    return in_a_loop(lambda: build_app(workbench))


def serve(page: gr.Blocks, workbench: Workbench, host: str | None, port: int | None) -> None:
    """Serve the page until it is interrupted. Raises `TaskVecError` if no server can listen there."""
    from .app import launch_options

    if port is not None and not 1 <= port <= MOST_PORT:
        raise TaskVecError(f"There is no port {port}; choose one with --port, from 1 to {MOST_PORT}.")

    def launch() -> None:
        page.launch(server_name=host, server_port=port, prevent_thread_lock=True, **launch_options())

    # The page shows what was measured while the model is still being opened. A question that needs the model waits
    try:
        in_a_loop(launch)
    except OSError as error:  # gradio's own sentence does not name our options
        where = f"{host or 'this machine'}, port {port or '7860 or one of the next hundred'}"
        raise TaskVecError(
            f"No server can listen on {where}: it is taken or not allowed; choose another with --port, from 1 to "
            f"{MOST_PORT}, or --host."
        ) from error
    workbench.warm_up()
    print(READY, file=sys.stderr, flush=True)
    page.block_thread()
