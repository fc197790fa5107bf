"""Time of `python app.py` until it answers and until bars are on the screen, against importing its packages."""

from __future__ import annotations

import subprocess
import sys
import time

from .context import Context
from .measurement import Measurement, Peer, Target, measured, median
from .processes import APP, chromium, serving

TITLE = "Start-up"
METHOD = (
    "From the start of `python app.py` to its first HTTP answer, and to the first frame of a browser that shows bars "
    "(headless Chromium, already running, empty cache). The disk is warm: one start before is not counted. The limit "
    "is a Python that only imports torch, transformers and gradio. The page comes before the model is open; a clip is "
    "answered after that."
)
LIMIT_S = 10
IMPORTS = "import torch, torchaudio, transformers, gradio; transformers.ClapModel, transformers.ClapProcessor"
BARS = """() => {
  const bar = document.querySelector("#chart .tv-ed");
  return Boolean(bar) && bar.getBoundingClientRect().width > 0;
}"""


def run(context: Context) -> list[Measurement]:
    repeats = context.repeats(5, 1)
    imports, answers, paints, opened = [], [], [], []
    with chromium() as browser:
        for i in range(repeats + 1):
            start = time.monotonic()
            subprocess.run([sys.executable, "-c", IMPORTS], check=True)
            imported = time.monotonic() - start
            with serving(APP, folder=context.folder) as app:
                tab = browser.new_context()
                page = tab.new_page()
                page.goto(app.url, wait_until="commit")
                page.wait_for_function(BARS, polling="raf")
                painted, model = time.monotonic(), app.model_open()
                tab.close()
            if i:
                imports.append(imported)
                answers.append(app.answered - app.started)
                paints.append(painted - app.started)
                opened.append(model - app.started)
    limit = Peer("importing the packages", median(imports), "times")
    return [
        measured("start to first answer", "s", answers, peer=limit),
        measured("start to first useful paint", "s", paints, peer=limit, target=Target("at most", LIMIT_S)),
        measured("start to an open model", "s", opened, peer=limit),
    ]
