"""Steady traffic for minutes: does the process stay as large as it was?"""

from __future__ import annotations

import asyncio
import io
import itertools
import time
import uuid

import httpx
import numpy as np
import soundfile

from .context import Context
from .crowd import API, client
from .measurement import Measurement, Target, measured
from .processes import APP, MIB, Server, serving

TITLE = "Steady traffic"
METHOD = (
    "Two visitors without a browser upload a new clip of 5 s, ask `/classify` for it with two labels that nobody has "
    "asked for before and a recipe, and do so again as soon as they have the answer. Memory is that of the app's "
    "process (PSS), read every 5 s. The slope is that of a line through all but the first fifth: until then caches, "
    "whose sizes are bounded, fill. Readings differ by 40 MiB from one to the next, so that a shorter line would say "
    "little."
)
VISITORS = 2
CLIP_S, RATE = 5, 16_000
EVERY_S = 5  # between two readings
LIMIT_MIB = 1.2e9 / MIB
SLOPE_LIMIT = 5.0  # MiB a minute: 50 in ten minutes, of the 330 that it was before arenas were shared


def run(context: Context) -> list[Measurement]:
    seconds = 60 * (0.2 if context.quick else context.minutes)
    with serving(APP, folder=context.folder) as app:
        app.model_open()
        start = app.memory().pss
        readings, answers = asyncio.run(_traffic(app, seconds))
    minutes = range(1, int(readings[-1][0] // 60) + 1)
    found = [measured("at the start, PSS", "MiB", [start])]
    for minute in minutes:
        pss = next(pss for second, pss in readings if second >= 60 * minute)
        found.append(measured(f"after {minute} minute{'s' * (minute > 1)}, PSS", "MiB", [pss]))
    note = f"{answers} answers in {seconds / 60:g} minutes"
    return [
        *found,
        measured("at the end, PSS", "MiB", [readings[-1][1]], target=Target("at most", round(LIMIT_MIB)), note=note),
        measured("slope", "MiB a minute", [slope(readings)], target=Target("at most", SLOPE_LIMIT)),
    ]


def slope(readings: list[tuple[float, float]]) -> float:
    """MiB a minute of the line through all but the first fifth of `readings`, (seconds, MiB) each."""
    seconds, held = np.array(readings[len(readings) // 5 :]).T
    return float(60 * np.polyfit(seconds, held, 1)[0]) if len(held) > 1 else 0.0


async def _traffic(app: Server, seconds: float) -> tuple[list[tuple[float, float]], int]:
    """((seconds, MiB) every `EVERY_S`, number of answers) while `VISITORS` ask one question after the other."""
    numbers, began, answers = itertools.count(1), time.monotonic(), 0
    readings: list[tuple[float, float]] = []

    async def visit(http: httpx.AsyncClient) -> None:
        nonlocal answers
        session = uuid.uuid4().hex
        while time.monotonic() - began < seconds:
            await _ask(http, session, next(numbers))
            answers += 1

    async def watch() -> None:
        while not readings or readings[-1][0] < seconds:
            await asyncio.sleep(min(EVERY_S, seconds))
            readings.append((time.monotonic() - began, app.memory().pss))

    async with client(app.url) as http:
        await asyncio.gather(watch(), *(visit(http) for _ in range(VISITORS)))
    return readings, answers


async def _ask(http: httpx.AsyncClient, session: str, number: int) -> None:
    """Upload the `number`-th clip and have it classified. Raises RuntimeError if there is no answer."""
    files = {"files": (f"clip-{number}.wav", _wav(number), "audio/wav")}
    uploaded = (await http.post(API + "upload", files=files)).raise_for_status().json()[0]
    clip = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
    recipe = {"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": round(-0.001 * (number % 900), 4)}}
    data = {"data": [clip, recipe, f"sound number {number}, noise number {number}"], "session_hash": session}
    event = (await http.post(API + "call/classify", json=data)).raise_for_status().json()["event_id"]
    told = (await http.get(f"{API}call/classify/{event}")).text
    if "event: complete" not in told:
        raise RuntimeError(f"clip {number} was not classified: {told[-300:]}")


def _wav(number: int) -> bytes:
    """A recording that no other number gives."""
    samples = 0.2 * np.random.default_rng(number).standard_normal(CLIP_S * RATE, dtype=np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV")
    return file.getvalue()
