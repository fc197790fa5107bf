"""Visitors without a browser, who send the real events of the page over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from taskvec_demo.core.recipe import Recipe

API = "gradio_api/"
PATIENCE_S = 180


@dataclass(frozen=True)
class Answer:
    """What a visitor was told, `seconds` after it asked: the best label of the edited model and its probability."""

    clip: Path
    recipe: Recipe
    labels: str
    label: str
    probability: float
    seconds: float


@dataclass(frozen=True)
class Event:
    """One event of the page: its number, and the elements whose values it is sent."""

    number: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class ServedPage:
    """The two events that a chart at rest sends, and the values of the page's elements when it opens, by `elem_id`."""

    classify: Event
    exact: Event | None  # None if there are no labelled clips
    values: Mapping[str, Any]

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> ServedPage:
        """The page described by the JSON of `/config`."""
        names = {c["id"]: c["props"].get("elem_id") or "" for c in config["components"]}
        values = {names[c["id"]]: c["props"].get("value") for c in config["components"]}
        found: dict[tuple[str, ...], Event] = {}
        for event in config["dependencies"]:
            if any(names.get(element) == "chart" and kind == "settled" for element, kind in event["targets"]):
                outputs = tuple(names[i] for i in event["outputs"])
                found[outputs] = Event(event["id"], tuple(names[i] for i in event["inputs"]))
        classify = next(event for outputs, event in found.items() if outputs[-1] == "strip-answer")
        return cls(classify, found.get(("exact",)), values)

    def controls(self, recipe: Recipe) -> dict[str, Any]:
        """The values of the elements after a visitor has set them to `recipe`."""
        signs = {value > 0 for value in recipe.coefficients.values()}
        values = {**self.values, "op-addition": True in signs, "op-negation": False in signs, "op-analogy": False}
        for element in self.values:
            kind, _, name = element.partition("-")
            value = recipe.coefficients.get(name, 0.0)
            if kind == "on":
                values[element] = bool(value)
            elif kind == "lambda" and value:
                values[element] = value
        return values


@dataclass
class Visitor:
    """One open page: a session kept alive, a clip, and questions at every rest of the sliders."""

    http: httpx.AsyncClient
    clip: Path
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    answers: list[Answer] = field(default_factory=list)

    async def open(self) -> None:
        """Fetch the page, keep the session alive from now on, upload the clip."""
        (await self.http.get("")).raise_for_status()
        config = (await self.http.get("config")).json()
        self.served = ServedPage.read(config)
        self._alive = asyncio.ensure_future(self._heartbeat())
        files = {"files": (self.clip.name, self.clip.read_bytes(), "audio/wav")}
        uploaded = (await self.http.post(API + "upload", files=files)).json()[0]
        self._file = {"path": uploaded, "orig_name": self.clip.name, "meta": {"_type": "gradio.FileData"}}
        self._pending: dict[str, asyncio.Future] = {}
        self._reader: asyncio.Future | None = None

    async def settle(self, recipe: Recipe, exact: bool = True) -> Answer:
        """The page at rest under `recipe`: ask for the clip's answers, and for `exact` figures; wait for the former."""
        values = {**self.served.controls(recipe), "clip": self._file}
        start = time.monotonic()
        asked = await self._ask(self.served.classify, values)
        if exact and self.served.exact is not None:
            await self._ask(self.served.exact, values)
        *_, told = await asyncio.wait_for(asked, PATIENCE_S)
        label, probability = json.loads(told)["after"]
        answer = Answer(self.clip, recipe, values["labels"], label, probability, time.monotonic() - start)
        self.answers.append(answer)
        return answer

    async def leave(self) -> None:
        """Wait for the answers that are on their way and close the page."""
        await asyncio.wait_for(asyncio.gather(*self._pending.values()), PATIENCE_S)
        if self._reader is not None:
            await self._reader
        self._alive.cancel()
        await asyncio.gather(self._alive, return_exceptions=True)

    async def _ask(self, event: Event, values: Mapping[str, Any]) -> asyncio.Future:
        data = [values[name] for name in event.inputs]
        body = {"data": data, "fn_index": event.number, "session_hash": self.session, "event_data": None}
        joined = await self.http.post(API + "queue/join", json=body)
        joined.raise_for_status()
        answer = self._pending.setdefault(joined.json()["event_id"], asyncio.get_running_loop().create_future())
        if self._reader is None or self._reader.done():
            self._reader = asyncio.ensure_future(self._read())
        return answer

    async def _read(self) -> None:
        """Read the stream that answers every question of this session. It ends when no question is left."""
        async with self.http.stream("GET", API + "queue/data", params={"session_hash": self.session}) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line.removeprefix("data:"))
                if message["msg"] == "close_stream":
                    return
                if message["msg"] == "process_completed":
                    self._completed(message)

    def _completed(self, message: Mapping[str, Any]) -> None:
        # The answer may be quicker than that of the question's own request
        created = asyncio.get_running_loop().create_future
        answer = self._pending.setdefault(message["event_id"], created())
        if message["success"]:
            answer.set_result(message["output"]["data"])
        else:
            answer.set_exception(RuntimeError(f"the app answered with an error: {message['output'].get('error')}"))

    async def _heartbeat(self) -> None:
        async with self.http.stream("GET", API + f"heartbeat/{self.session}") as stream:
            async for _ in stream.aiter_lines():
                pass


def client(url: str) -> httpx.AsyncClient:
    """An HTTP client for many visitors at once, without a limit on connections for which they would wait."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=httpx.Timeout(PATIENCE_S), limits=limits, trust_env=False)
