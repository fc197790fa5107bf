"""Vectors that a visitor adds: a checked file becomes a slider row, for this visitor alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ..errors import TaskVecError
from .api import user_error
from .controls import SLOTS, Controls, Slot
from .page import Page, names_of

UPLOAD_CONCURRENCY: dict[str, Any] = {
    "concurrency_id": "upload",
    "concurrency_limit": 1,
}  # one file in memory at a time


def connect_own(page: Page, controls: Controls, along: gr.Dropdown, **options: Any) -> None:
    """Connect the adding and removing of vectors. The rows follow the names in `controls.added`; nothing is kept here.

    Gradio deletes the files, after an hour. We must not delete them, because the browser names the path, and gradio
    lets it name any static file of ours.
    """
    outputs: list[Any] = [controls.added, along, *(c for slot in controls.slots for c in _parts(slot))]

    def add(file: str, added: str, followed: str | None) -> list[Any]:
        names = names_of(added)
        try:
            if "" not in names:
                raise gr.Error(f"{len(SLOTS)} added vectors are the most; remove one first.", print_exception=False)
            name = page.workbench.uploads.add(Path(file))
        except TaskVecError as error:
            raise user_error(error) from error
        if name in names:
            gr.Info(f"τ {name} is already there.", duration=6)
            return [gr.skip()] * len(outputs)
        at = names.index("")
        vector = page.workbench.vector(name)
        gr.Info(f"Added τ {name}, ‖τ‖ = {vector.norm:.3g}: move its slider.", duration=6)
        return _updates(at, (*names[:at], name, *names[at + 1 :]), followed)

    def remove(at: int) -> Any:
        def clear(added: str, followed: str | None) -> list[Any]:
            names = names_of(added)
            return _updates(at, (*names[:at], "", *names[at + 1 :]), followed)

        return clear

    def _updates(at: int, names: tuple[str, ...], followed: str | None) -> list[Any]:
        choices = [*page.vectors, *filter(None, names)]
        kept = followed if followed in choices else next(iter(choices), None)
        rows = [_row_updates(name) if i == at else [gr.skip()] * 3 for i, name in enumerate(names)]
        return [",".join(names), gr.update(choices=choices, value=kept), *(update for row in rows for update in row)]

    shown = {**options, "show_progress": "minimal", "show_progress_on": controls.upload}
    asked = [controls.upload, controls.added, along]
    controls.upload.upload(add, asked, outputs, **UPLOAD_CONCURRENCY, **shown)
    for at, slot in enumerate(controls.slots):
        slot.remove.click(remove(at), [controls.added, along], outputs, **options)


def _parts(slot: Slot) -> list[Any]:
    return [slot.group, slot.row.on, slot.row.coef]


def _row_updates(name: str) -> list[Any]:
    """Updates for one slot: show the row of the vector `name`, switched off, or hide the row if there is none."""
    return [
        gr.update(visible=bool(name)),
        gr.update(value=False, label=f"τ {name}"),
        gr.update(value=0.0, label=f"λ {name}"),
    ]
