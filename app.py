"""Arguments -> workbench -> page. A Hugging Face Space starts this file, too."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from taskvec_demo.clap.embedded import EMBEDDED
from taskvec_demo.errors import TaskVecError, sentence
from taskvec_demo.serve.opening import Wanted
from taskvec_demo.ui import startup

demo: Any = None  # the page once it is there: this is where gradio's hot reload looks, which Spaces have


def main(arguments: list[str] | None = None) -> int:
    """Open the app on the artifacts of one checkpoint, or on a checkpoint alone. Exit code 2: the input was wrong."""
    global demo
    options = _parser().parse_args(arguments)
    wanted = Wanted(options.artifacts, options.checkpoint, options.tokenizer, tuple(options.vector), options.data)
    try:
        wanted.allow_hub()
        startup.own_uploads_folder()
        workbench = wanted.open()
        demo = startup.page(workbench)
        startup.serve(demo, workbench, options.host, options.port)
    except (TaskVecError, OSError) as error:
        print(f"taskvec_demo: {sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Task arithmetic on CLAP: open the app in a browser.")
    what = parser.add_mutually_exclusive_group()
    default = os.environ.get("TASKVEC_ARTIFACTS", str(EMBEDDED))  # a Space has variables, but no options
    artifacts = (
        "what `build` wrote: a folder, or a hub repository USER/REPO (default: $TASKVEC_ARTIFACTS, else tiny-CLAP)"
    )
    what.add_argument("--artifacts", default=default, help=artifacts)
    what.add_argument("--checkpoint", help="a checkpoint alone: tiny-clap, a folder, a hub id, or a LAION .pt file")
    parser.add_argument("--tokenizer", help="of a .pt file: folder or hub id (default: roberta-base)")
    own = "a task vector of this checkpoint (may be repeated)"
    parser.add_argument("--vector", type=Path, action="append", default=[], help=own)
    parser.add_argument("--data", type=Path, help="folder of labelled recordings, for exact accuracies")
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1, on Spaces 0.0.0.0)")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    return parser


if __name__ == "__main__":
    startup.prepare_process()
    sys.exit(main())
