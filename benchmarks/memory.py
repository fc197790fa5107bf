"""Memory of the app's process: at rest, for each page and visitor, and with more vectors and clips."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from pathlib import Path

from .context import ROOT, TINY, Context, new_recipe
from .crowd import Visitor, client
from .measurement import Measurement, Peer, Target, measured
from .processes import APP, MIB, Memory, Server, chromium, serving
from .startup import BARS, IMPORTS

TITLE = "Memory"
METHOD = (
    "Resident memory of the app's process (RSS), and with shared pages divided among those who share them (PSS). "
    "Visitors are sessions without a browser, each with a clip of its own, who let go of a slider once and stay. The "
    "limit is a Python that only imports torch, transformers and gradio. Growth is measured in processes of their own: "
    "with a full-size checkpoint's vectors, and with new clips under new recipes, whose caches are bounded."
)
LIMIT_MIB = 1200
CROWD = (1, 5, 10, 20)
VECTOR_COUNTS = (1, 2, 4, 8)
CLIPS = 200
CALM_S = 5
PAUSE = f"{IMPORTS}; import sys; print(1, flush=True); sys.stdin.read()"


def run(context: Context) -> list[Measurement]:
    imports = _imports()
    with serving(APP, folder=context.folder) as app:
        app.model_open()
        start = app.memory()
        with chromium() as browser:
            page = browser.new_page()
            page.goto(app.url)
            page.wait_for_function(BARS)
            page.wait_for_timeout(1000 * CALM_S)  # exact figures on opening
            one_page = app.memory()
        crowd = asyncio.run(_crowd(context, app, (1, 3) if context.quick else CROWD))
        after = app.memory()
    found = [
        measured("process at start, RSS", "MiB", [start.rss], peer=Peer("imports only", imports.rss, "times")),
        measured("process at start, PSS", "MiB", [start.pss], peer=Peer("imports only", imports.pss, "times")),
        measured("with one page open, RSS", "MiB", [one_page.rss], target=Target("at most", LIMIT_MIB)),
    ]
    base = Peer("with one page open", one_page.pss, "times")
    found += [
        measured(f"with {n} visitor{'s' * (n > 1)}, PSS", "MiB", [memory.pss], peer=base) for n, memory in crowd.items()
    ]
    n, most = list(crowd.items())[-1]
    found.append(measured("each visitor, PSS", "MiB", [(most.pss - one_page.pss) / n], note=f"mean over {n}"))
    found.append(measured("after they left, PSS", "MiB", [after.pss], peer=base))
    return found + _by_vectors(context) + _by_clips(context)


def _imports() -> Memory:
    """Memory of a process that has imported what the app imports and does nothing."""
    command = [sys.executable, "-c", PAUSE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        memory = Memory.of(process.pid)
        process.communicate()
    return memory


async def _crowd(context: Context, app: Server, sizes: tuple[int, ...]) -> dict[int, Memory]:
    """Number of visitors -> memory while they are there, after each has asked once."""
    features, names = context.tiny.checkpoint.features, list(context.tiny.vectors)[:2]
    numbers, found = itertools.count(), {}
    visitors: list[Visitor] = []
    async with client(app.url) as http:
        for size in sizes:
            fresh = [
                Visitor(http, context.clip(400_000 + i, features.sample_rate, 5)) for i in range(len(visitors), size)
            ]
            for visitor in fresh:
                await visitor.open()
                await visitor.settle(new_recipe(context.tiny.name, names, 97 * next(numbers)))
            visitors += fresh
            await asyncio.sleep(CALM_S)
            found[size] = app.memory()
        await asyncio.gather(*(visitor.leave() for visitor in visitors))
    await asyncio.sleep(CALM_S)
    return found


def _resident(folder: Path, n_vectors: int, clips: list[Path]) -> list[float]:
    command = [sys.executable, "-m", "benchmarks.resident", str(folder), str(n_vectors), *map(str, clips)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout)


def _by_vectors(context: Context) -> list[Measurement]:
    """Memory of the process with vectors of a full-size checkpoint, and what each further vector adds."""
    counts = VECTOR_COUNTS[:2] if context.quick else VECTOR_COUNTS
    held = {n: _resident(context.full_size, n, [])[0] for n in counts}
    found = [
        measured(f"full-size checkpoint, {n} vector{'s' * (n > 1)}, PSS", "MiB", [memory]) for n, memory in held.items()
    ]
    fewest, most = counts[0], counts[-1]
    vector = next((context.full_size / "vectors").iterdir()).stat().st_size / MIB
    each = (held[most] - held[fewest]) / (most - fewest)
    return [*found, measured("each further full-size vector", "MiB", [each], peer=Peer("its file", vector, "times"))]


def _by_clips(context: Context) -> list[Measurement]:
    """Memory of the process with tiny-CLAP after more and more clips, each under a recipe of its own."""
    n = CLIPS if not context.quick else 10
    features = context.tiny.checkpoint.features
    clips = [context.clip(500_000 + i, features.sample_rate, 5) for i in range(n)]
    warm, *after = _resident(TINY, len(context.tiny.vectors), clips)
    base = Peer("without clips", warm, "times")
    return [
        measured(f"workbench after {n * (i + 1) // len(after)} clips and recipes, PSS", "MiB", [memory], peer=base)
        for i, memory in enumerate(after)
    ]
