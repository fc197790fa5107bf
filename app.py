"""Composition root and Hugging Face Spaces entry: artifacts -> workbench -> page."""

from __future__ import annotations

import argparse
import contextlib
import inspect
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskvec_demo.clap.embedded import EMBEDDED

if TYPE_CHECKING:  # imported only after the options are known
    from taskvec_demo.clap.model import Checkpoint
    from taskvec_demo.serve.workbench import Workbench

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: a new buffer of 113 MB in half the time
# What torch, pandas and transformers import where it is installed, and this app never uses: 80 MB and half a second
UNUSED = ("triton", "pyarrow", "torchvision", "sklearn")
READY = "The model is open: clips are answered at once from now on."


def main(arguments: list[str] | None = None) -> int:
    """Open the app on the artifacts of one checkpoint, or on a checkpoint alone."""
    parser = argparse.ArgumentParser(description="Task arithmetic on CLAP: open the app in a browser.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--artifacts",
        default=os.environ.get("TASKVEC_ARTIFACTS", str(EMBEDDED)),  # a Space has variables, but no options
        help="artifacts: a folder, or a hub repository USER/REPO (default: $TASKVEC_ARTIFACTS, else tiny-CLAP)",
    )
    what.add_argument("--checkpoint", help="a checkpoint alone: tiny-clap, a folder, a hub id, or a LAION .pt file")
    parser.add_argument("--tokenizer", default=None, help="of a .pt file: folder or hub id (default: roberta-base)")
    parser.add_argument(
        "--vector", type=Path, action="append", default=[], help="a task vector of this checkpoint (may be repeated)"
    )
    parser.add_argument("--data", type=Path, default=None, help="folder of labelled recordings, for exact accuracies")
    parser.add_argument("--host", default=None, help="address to listen on (default: 127.0.0.1, on Spaces 0.0.0.0)")
    parser.add_argument("--port", type=int, default=None, help="port (default: the first free one from 7860)")
    options = parser.parse_args(arguments)
    if options.checkpoint == "tiny-clap":  # embedded with all that was measured of it
        options.checkpoint = None
    # Before anything imports huggingface_hub, which reads the variable once. What needs no hub asks nothing of one.
    from taskvec_demo.clap.sources import allow_hub

    allow_hub(options.checkpoint or options.artifacts, options.tokenizer, *_named_in(Path(options.artifacts)))

    with _no_stubs():
        import gradio  # noqa: F401

    from taskvec_demo.errors import TaskVecError
    from taskvec_demo.ui.app import build_app, launch_options

    try:
        workbench = _workbench(options)
        app = build_app(workbench)
        # What was measured is on the screen while the model is still being opened: a question for it waits
        try:
            app.launch(server_name=options.host, server_port=options.port, prevent_thread_lock=True, **launch_options())
        except OSError as error:  # gradio's sentence names none of our options
            where = f"{options.host or 'this machine'}, port {options.port or '7860 or one of the next hundred'}"
            raise TaskVecError(
                f"No server can listen on {where}: it is taken or not allowed; choose another with --port or --host."
            ) from error
        workbench.warm_up()
        print(READY, file=sys.stderr, flush=True)
    except TaskVecError as error:
        print(f"taskvec_demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    app.block_thread()
    return 0


@contextlib.contextmanager
def _no_stubs() -> Iterator[None]:
    """Import gradio without the .pyi file that it writes for each component, which takes half of the time.

    Gradio leaves out a component whose class has no file.
    """

    def no_file(of: Any) -> str:
        raise FileNotFoundError(of)

    file_of, inspect.getfile = inspect.getfile, no_file  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = file_of


def _named_in(artifacts: Path) -> list[str]:
    """The checkpoint that the manifest of artifacts without weights names."""
    try:
        manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
        return [str(value) for value in manifest["pretrained"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # what is wrong is said when they are opened
        return []


def _workbench(options: argparse.Namespace) -> Workbench:
    from taskvec_demo.clap.sources import is_hub_id
    from taskvec_demo.serve.artifacts import Artifacts, fetch_artifacts
    from taskvec_demo.serve.workbench import Workbench

    began = time.monotonic()

    def say(step: str) -> None:
        if options.checkpoint or options.artifacts != str(EMBEDDED):  # the embedded one opens in a moment
            print(f"{time.monotonic() - began:5.1f} s  {step}", file=sys.stderr, flush=True)

    checkpoint: Checkpoint | None = None
    if options.checkpoint:
        from taskvec_demo.serve.unmeasured import bare_artifacts

        artifacts, checkpoint = bare_artifacts(
            options.checkpoint, options.vector, options.data, tokenizer=options.tokenizer, say=say
        )
        say(f"reading {len(artifacts.vector_names)} task vectors and trying out bfloat16")
        workbench = Workbench(artifacts, options.data, checkpoint=checkpoint)
    else:
        folder = Path(options.artifacts)
        if is_hub_id(options.artifacts):
            say(f"fetching {options.artifacts}")
            folder = fetch_artifacts(options.artifacts)
        say(f"opening {folder}")
        artifacts = Artifacts(folder)
        # Of weights that lie elsewhere the manifest has no hash: whether they are there and the right ones is said now
        if "pretrained" in artifacts.manifest:
            checkpoint = artifacts.open_checkpoint()
        workbench = Workbench(artifacts, options.data, own=options.vector, checkpoint=checkpoint)
    say("starting the page")
    return workbench


if __name__ == "__main__":
    for name in UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails as if it were not there
    sys.exit(main())
