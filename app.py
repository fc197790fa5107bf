"""Composition root and Hugging Face Spaces entry: artifacts -> workbench -> page."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the embedded checkpoint needs no hub; nothing is asked of one
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for huge pages: a new buffer of 113 MB in half the time

ROOT = Path(__file__).parent


def main(arguments: list[str] | None = None) -> int:
    """Open the app on the artifacts of one checkpoint."""
    parser = argparse.ArgumentParser(description="Task arithmetic on CLAP: open the app in a browser.")
    parser.add_argument("--artifacts", type=Path, default=ROOT / "precomputed" / "tiny-clap", help="artifacts folder")
    parser.add_argument("--data", type=Path, default=None, help="folder of labelled recordings, for exact accuracies")
    parser.add_argument("--host", default=None, help="address to listen on (default: 127.0.0.1, on Spaces 0.0.0.0)")
    parser.add_argument("--port", type=int, default=None, help="port (default: the first free one from 7860)")
    options = parser.parse_args(arguments)

    from taskvec_demo.artifacts import Artifacts
    from taskvec_demo.errors import TaskVecError
    from taskvec_demo.session import Workbench
    from taskvec_demo.ui.app import LAUNCH, build_app

    try:
        workbench = Workbench(Artifacts(options.artifacts), options.data)
        workbench.warm_up()
        app = build_app(workbench)
    except TaskVecError as error:
        print(f"taskvec_demo: {error}", file=sys.stderr)
        return 2
    app.launch(server_name=options.host, server_port=options.port, **LAUNCH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
