"""Composition root and Hugging Face Spaces entry: artifacts -> workbench -> page."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported only after the options are known
    from taskvec_demo.session import Workbench

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: a new buffer of 113 MB in half the time
# What torch and pandas import where it is installed, and this app never uses: a compiler for GPUs and a table format,
# 80 MB of memory together. None makes an import of them fail as if they were not there.
for _unused in ("triton", "pyarrow"):
    sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]

ROOT = Path(__file__).parent
EMBEDDED = ROOT / "precomputed" / "tiny-clap"


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
    from taskvec_demo.checkpoints import allow_hub

    allow_hub(options.checkpoint or options.artifacts, options.tokenizer, *_named_in(Path(options.artifacts)))

    from taskvec_demo.errors import TaskVecError
    from taskvec_demo.ui.app import LAUNCH, build_app

    try:
        app = build_app(_workbench(options))
    except TaskVecError as error:
        print(f"taskvec_demo: {error}", file=sys.stderr)
        return 2
    app.launch(server_name=options.host, server_port=options.port, **LAUNCH)
    return 0


def _named_in(artifacts: Path) -> list[str]:
    """The checkpoint that the manifest of artifacts without weights names."""
    try:
        manifest = json.loads((artifacts / "manifest.json").read_text(encoding="utf-8"))
        return [str(value) for value in manifest["pretrained"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # what is wrong is said when they are opened
        return []


def _workbench(options: argparse.Namespace) -> Workbench:
    from taskvec_demo.artifacts import Artifacts, fetch_artifacts
    from taskvec_demo.bare import bare_artifacts
    from taskvec_demo.checkpoints import is_hub_id
    from taskvec_demo.session import Workbench

    began = time.monotonic()

    def say(step: str) -> None:
        if options.checkpoint or options.artifacts != str(EMBEDDED):  # the embedded one opens in a moment
            print(f"{time.monotonic() - began:5.1f} s  {step}", file=sys.stderr, flush=True)

    if options.checkpoint:
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
        workbench = Workbench(Artifacts(folder), options.data, own=options.vector)
    say("warming up")
    workbench.warm_up()
    return workbench


if __name__ == "__main__":
    sys.exit(main())
