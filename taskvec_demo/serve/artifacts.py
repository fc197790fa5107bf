"""The artifacts of a checkpoint in `precomputed/<checkpoint>/`, checked against their manifest before they are used.

model/  vectors/<name>.safetensors  heads/<task>.safetensors  surfaces/<task>.<split>.safetensors
tables/*.json  examples/*  manifest.json

Only the manifest, the vectors it names and the heads of its tasks must be there. A task without a surface has no
estimates. An entry `pretrained`, {"repo", "revision"}, stands in for model/: the weights lie on the hub.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..clap.hub import download
from ..clap.sources import open_checkpoint, resolve
from ..core.files import check_content, sha256_of, whole_file
from ..core.recipe import Recipe
from ..core.surface import LogitSurface
from ..core.task_vector import TaskVector
from ..core.tasks import Task
from ..core.weights import read_safetensors, write_safetensors
from ..core.zero_shot import ZeroShotHead
from ..errors import BadArtifactError, shortened

if TYPE_CHECKING:
    from ..clap.model import Checkpoint, Precision

MANIFEST_FORMAT = 1
HEAD_FORMAT = "1"


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON; the file appears whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    with whole_file(path) as temporary:
        temporary.write_bytes(text.encode(errors="backslashreplace"))  # JSON's own escape, for names of other bytes


def read_json(path: Path, object_hook: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """The content of a file. Raises BadArtifactError for one that is not there or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"), object_hook=object_hook)
    except FileNotFoundError as error:
        raise BadArtifactError(f"There is no file {path}; run `python -m taskvec_demo build` to make it.") from error
    except ValueError as error:
        check_content(path)
        raise BadArtifactError(f"{path} is not valid JSON ({error}).") from error


def read_table(path: Path) -> Any:
    """A measured table. Raises BadArtifactError for one whose numbers of clips are no numbers: pages show them."""

    def counted(entry: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(entry.get("n", 0), int):
            raise BadArtifactError(f"{path} has {shortened(entry['n'])!r} where a number of clips is expected.")
        return entry

    return read_json(path, counted)


def save_head(path: Path, head: ZeroShotHead) -> None:
    header = {"format": HEAD_FORMAT, "labels": json.dumps(head.labels)}
    write_safetensors(path, {"matrix": head.matrix.contiguous()}, header)


def load_head(path: Path) -> ZeroShotHead:
    """The head that `save_head` wrote. Raises BadArtifactError."""
    tensors, header = read_safetensors(path)
    if header.get("format") != HEAD_FORMAT:
        raise BadArtifactError(
            f"{path} has head format {header.get('format')!r}; this version reads format {HEAD_FORMAT!r}."
        )
    try:
        return ZeroShotHead(tuple(json.loads(header["labels"])), tensors["matrix"].float())
    except (KeyError, ValueError, TypeError) as error:
        raise BadArtifactError(f"{path} does not hold a zero-shot head ({type(error).__name__}).") from error


@dataclass(frozen=True)
class Story:
    """What a preset is shown with: one sentence on what to look at, the vector to drag, and a clip that flips.

    `vector` is "" where the λ of the analogy is dragged; `clip` is the name of an example, "" if none flips.
    """

    sentence: str
    vector: str
    clip: str = ""


@dataclass(frozen=True)
class Preset:
    """A recipe worth showing, chosen on validation, with its figures on the test split."""

    name: str
    title: str
    explanation: str
    recipe: Recipe
    test: tuple[dict, ...]
    story: Story


@dataclass(frozen=True)
class SurfaceFile:
    """The very file, which browsers fetch: what comes from the hub lies in its cache as links."""

    path: Path
    sha256: str


class Artifacts:
    """One checkpoint's artifacts, read-only. Raises `BadArtifactError` for anything missing, altered or foreign."""

    def __init__(self, folder: Path, verify: bool = True) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if self.manifest.get("format") != MANIFEST_FORMAT:
            raise BadArtifactError(
                f"{folder / 'manifest.json'} has format {self.manifest.get('format')!r}; "
                f"this version reads format {MANIFEST_FORMAT}."
            )
        try:
            self.name: str = self.manifest["checkpoint"]
            self.pretrained_sha256: str = self.manifest["pretrained_sha256"]
            self.default_labels: tuple[str, ...] = tuple(self.manifest["default_labels"])
            self.templates: tuple[str, ...] = tuple(self.manifest["templates"])
            self.tasks = {t["name"]: Task.from_dict(t) for t in self.manifest["tasks"]}
            self.vector_names: list[str] = list(self.manifest["vectors"])
            self.files: dict[str, str] = dict(self.manifest["files"])  # path in the folder -> sha256
            self.sources: list[dict[str, str]] = list(self.manifest.get("sources", []))
            self.pretrained: dict[str, Any] | None = self.manifest.get("pretrained")
        except KeyError as error:
            raise BadArtifactError(f"{folder / 'manifest.json'} has no entry {error}; run `build` again.") from error
        if verify:
            self._verify()

    def _verify(self) -> None:
        for relative, expected in self.files.items():
            path = self.folder / relative
            if not path.is_file():
                raise BadArtifactError(
                    f"{path} is listed in the manifest but missing; restore it or run `build` again."
                )
            if sha256_of(path) != expected:
                check_content(path)
                raise BadArtifactError(f"{path} does not have the sha256 of the manifest: it was altered or cut short.")

    @property
    def model_folder(self) -> Path:
        return self.folder / "model"

    def open_checkpoint(self, precision: Precision = "float32") -> Checkpoint:
        """The pre-trained checkpoint: that of model/, or the one that the manifest's `pretrained` names.

        Raises `BadArtifactError` when it cannot be opened, or does not hold the weights that everything here is about.
        """
        from ..clap.model import Checkpoint

        if self.pretrained is None:
            return Checkpoint.from_folder(self.model_folder, self.name, precision)
        source = resolve(str(self.pretrained.get("repo")), self.pretrained.get("revision"))
        checkpoint = open_checkpoint(source, precision=precision)
        if checkpoint.pretrained.sha256 != self.pretrained_sha256:
            raise BadArtifactError(
                f"The checkpoint {source.spec} has pre-trained weights {checkpoint.pretrained.sha256[:12]}; everything "
                f"in {self.folder} was made from {self.pretrained_sha256[:12]}."
            )
        return checkpoint

    @cached_property
    def vectors(self) -> dict[str, TaskVector]:
        """Task vectors by name, in the manifest's order, all made from this checkpoint."""
        vectors = {name: TaskVector.load(self.folder / "vectors" / f"{name}.safetensors") for name in self.vector_names}
        for vector in vectors.values():
            if vector.pretrained_sha256 != self.pretrained_sha256:
                raise BadArtifactError(
                    f"Task vector {vector.name!r} was made from pre-trained weights {vector.pretrained_sha256[:12]}, "
                    f"not from {self.name!r} ({self.pretrained_sha256[:12]})."
                )
        return vectors

    @cached_property
    def heads(self) -> dict[str, ZeroShotHead]:
        return {name: load_head(self.folder / "heads" / f"{name}.safetensors") for name in self.tasks}

    @cached_property
    def surfaces(self) -> dict[str, LogitSurface]:
        """Validation surfaces, for those tasks for which the manifest lists one."""
        return {name: LogitSurface.load(file.path) for name, file in self.surface_files.items()}

    @cached_property
    def surface_files(self) -> dict[str, SurfaceFile]:
        """The files of the surfaces by task."""
        listed = {n: f for n in self.tasks if (f := f"surfaces/{n}.validation.safetensors") in self.files}
        return {name: SurfaceFile((self.folder / file).resolve(), self.files[file]) for name, file in listed.items()}

    @cached_property
    def presets(self) -> dict[str, Preset]:
        """The recipes that were chosen on validation; empty if nothing was chosen."""
        stories = self._table("stories") or {}
        return {e["name"]: _preset(e, stories.get(e["name"])) for e in self._table("presets") or []}

    def _table(self, name: str) -> Any:
        """The content of a table, None if the manifest lists no such file."""
        file = f"tables/{name}.json"
        return read_table(self.folder / file) if file in self.files else None

    @property
    def tables(self) -> Path:
        return self.folder / "tables"

    @property
    def studies(self) -> Path:
        """The folder of the studies of other papers, which lie beside the checkpoints; it need not be there."""
        return self.folder.parent / "studies"

    @property
    def synthesized(self) -> Path:
        """Labelled clips that the project has synthesized itself."""
        return self.folder / "synthesized"

    @property
    def examples(self) -> list[Path]:
        return example_clips(self.folder)


def _preset(entry: Mapping[str, Any], story: Mapping[str, str] | None) -> Preset:
    """An entry of presets.json with its story. Without a story the preset's own explanation has to do."""
    recipe = Recipe.from_json(entry["recipe"])
    told = Story(**story) if story else Story(entry["explanation"], next(iter(recipe.coefficients), ""))
    return Preset(entry["name"], entry["title"], entry["explanation"], recipe, tuple(entry["test"]), told)


def example_clips(folder: Path) -> list[Path]:
    """The clips of the Examples row in a folder of artifacts."""
    return sorted((folder / "examples").glob("*.flac")) + sorted((folder / "examples").glob("*.ogg"))


def write_manifest(folder: Path, fields: Mapping[str, Any]) -> None:
    """Write `manifest.json` with the sha256 of every file under `folder`."""
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json" and not _hidden(path.relative_to(folder))
    }
    write_json(folder / "manifest.json", {"format": MANIFEST_FORMAT, **fields, "files": files})


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def fetch_artifacts(repo: str) -> Path:
    """The folder of a hub repository USER/REPO that `push` has filled, downloaded into the hub's cache.

    Progress is shown on the terminal. Without a network the copy of an earlier download counts. Raises
    `BadArtifactError` for a repository that is not there, holds no artifacts, or cannot be reached.
    """
    folder = download(repo)
    if not (folder / "manifest.json").is_file():
        raise BadArtifactError(f"The hub repository {repo!r} holds no manifest.json: it is no artifacts folder.")
    return folder
