"""The edited checkpoint as files: a folder that `ClapModel.from_pretrained` loads, and a zip of it."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..core.files import whole_file
from ..core.recipe import Recipe
from ..core.recipe_files import file_stem, recipe_yaml
from ..errors import BadArtifactError
from .artifacts import write_json
from .export_card import edited_card
from .workbench import Workbench

COPIES = 3  # of the weights that must fit on the disk: the folder, the zip, and what the page hands to the browser


def build(workbench: Workbench, recipe: Recipe) -> Iterator[tuple[str, Path | None]]:
    """Yield what is being done, at last with the zip, which is there until the iterator goes on. Raises as
    `write_edited`.
    """
    with tempfile.TemporaryDirectory(prefix="taskvec-export-") as folder:
        yield "The task vectors are added to the weights …", None
        edited = write_edited(workbench, recipe, Path(folder))
        yield "The files are packed …", None
        path = zipped(edited)
        yield f"{path.name} is ready ({path.stat().st_size / 1e6:.0f} MB).", path


def write_edited(workbench: Workbench, recipe: Recipe, folder: Path) -> Path:
    """Write the edited checkpoint under `folder`, which must be there, and return its own folder, named after the
    recipe.

    It holds the weights in float32, the processor, a model card, and the recipe as recipe.json and recipe.yaml; the
    recipe is in the header of the weights, too. Raises `BadRecipeError`, and `BadArtifactError` if the disk is full.
    """
    pinned = replace(workbench.check(recipe), pretrained_sha256=workbench.artifacts.pretrained_sha256)
    checkpoint = workbench.checkpoint
    free, needed = shutil.disk_usage(folder).free, COPIES * checkpoint.nbytes
    if free < needed:
        raise BadArtifactError(
            f"The edited model cannot be written: {needed / 1e6:.0f} MB are needed in {folder.parent}, "
            f"{free / 1e6:.0f} MB are free."
        )
    weights = workbench.edited(recipe)
    out = folder / file_stem(pinned)
    out.mkdir()
    header = {"recipe": pinned.to_json(), "formula": pinned.formula(), "edited_sha256": weights.sha256}
    checkpoint.save_edited(out, weights, header)
    write_json(out / "recipe.json", pinned.to_dict())
    for name, text in (("recipe.yaml", recipe_yaml(pinned)), ("README.md", edited_card(workbench, pinned, weights))):
        (out / name).write_text(text, encoding="utf-8")
    return out


def zipped(folder: Path) -> Path:
    """A zip of `folder`, beside it; everything in it is below the folder's own name.

    Nothing is compressed, because weights hardly shrink.
    """
    path = folder.with_name(f"{folder.name}.zip")
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return path
