"""The sound of a labelled clip, as the browser asks for it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from ..errors import TaskVecError
from ..serve.flipped import clip_sound
from ..serve.workbench import Workbench


def sound_function(workbench: Workbench) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function of the server, `sound`: the address of a clip's sound, or the sentence that says why there is none."""

    def sound(asked: dict[str, Any]) -> dict[str, Any]:
        try:
            wav = clip_sound(workbench, asked.get("index", -1))
        except TaskVecError as error:
            return {"error": str(error)}
        return {"source": f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"}

    return sound
