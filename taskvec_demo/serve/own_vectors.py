"""Task vectors of a user or a visitor: checked against the checkpoint before they are used or kept.

The files are those that `TaskVector.save` writes. The header is checked first, so that a large file of another kind is
refused before it fills the memory.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..core.few_bits import EXPONENT, unpacked_shape
from ..core.files import check_content, kind_of
from ..core.recipe import QUERY_KEYS
from ..core.task_vector import FEW_BITS, TaskVector
from ..core.weights import Layout, Weights
from ..errors import BadArtifactError, BadRecipeError, IncompatibleWeightsError, TaskVecError
from .cache import BoundedCache

MAX_METADATA = 65_536  # characters of JSON in the header, which stay in memory
MAX_BYTES = 200 * 10**6  # of a file: float32 of HTSAT-tiny has 113 MB, float16 of HTSAT-base 150 MB
KEPT_BYTES = 240 * 2**20  # of all visitors' vectors: four of HTSAT-tiny in float16
NAME_LENGTH = 40  # characters taken from a file's own name: recipes accept 64
HASH_LENGTH = 8  # hex digits behind the name of an uploaded vector
UPLOADED = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.-]*-[0-9a-f]{{{HASH_LENGTH}}}")  # what `hashed_name` gives
ACCEPTED = "a task vector written by `python -m taskvec_demo vector` for this checkpoint is accepted"
DTYPES = ("F16", "BF16", "F32")


def read_own(path: Path, pretrained: Weights, checkpoint: str) -> TaskVector:
    """A task vector of `pretrained` from a file, with finite values.

    Raises `BadArtifactError` for a file that is too large, no task vector, or altered, and `IncompatibleWeightsError`
    for one of other pre-trained weights, of another layout or number format; `checkpoint` is how the sentence names
    ours.
    """
    try:
        check_header(path, pretrained, checkpoint)
        return TaskVector.load(path)
    except TaskVecError as error:  # the message names the file only, not the folder of an upload
        raise type(error)(str(error).replace(str(path), path.name)) from error


def check_header(path: Path, pretrained: Weights, checkpoint: str) -> str:
    """Check what can be checked without reading the values; returns the vector's name. Raises as `read_own`."""
    if not path.is_file():
        raise BadArtifactError(f"There is no file {path}; {ACCEPTED}.")
    if path.stat().st_size > MAX_BYTES:
        size = f"{path.stat().st_size / 1e6:.0f} MB"
        raise BadArtifactError(f"{path} has {size}; {ACCEPTED}, of at most {MAX_BYTES // 10**6} MB.")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            pieces = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            shapes = {name: tuple(piece.get_shape()) for name, piece in pieces.items()}
            dtypes = {name: str(piece.get_dtype()) for name, piece in pieces.items()}
    except (OSError, SafetensorError) as error:
        check_content(path)
        if kind_of(path) == "torch":
            raise BadArtifactError(
                f"{path} was written by torch.save; {ACCEPTED}: `--delta` makes one of a file of differences."
            ) from error
        raise BadArtifactError(f"{path} is not a safetensors file; {ACCEPTED}.") from error
    if "pretrained_sha256" not in header:
        raise BadArtifactError(f"{path} is a safetensors file without a task vector's header; {ACCEPTED}.")
    if header["pretrained_sha256"] != pretrained.sha256:
        raise IncompatibleWeightsError(
            f"{path} was made from pre-trained weights {header['pretrained_sha256'][:12]}; only vectors of "
            f"{checkpoint!r} ({pretrained.sha256[:12]}) can be added here."
        )
    if (characters := len(header.get("metadata", ""))) > MAX_METADATA:
        raise BadArtifactError(f"{path} has metadata of {characters} characters; at most {MAX_METADATA} are accepted.")
    if not shapes:
        raise BadArtifactError(f"{path} holds no tensor; {ACCEPTED}.")
    accepted: tuple[str, ...] = DTYPES
    if header.get("format") in FEW_BITS:  # matrices have their rows' exponents beside them
        accepted = (*DTYPES, "I8", "U8")
        shapes = {n: unpacked_shape(dtypes[n], shape) for n, shape in shapes.items() if not n.endswith(EXPONENT)}
    for name, dtype in dtypes.items():
        if dtype not in accepted:
            raise IncompatibleWeightsError(f"Tensor {name!r} of {path} is {dtype}; accepted are {', '.join(DTYPES)}.")
    layout = Layout(tuple(sorted(shapes)), tuple(shapes[name] for name in sorted(shapes)))
    pretrained.layout.check_same(layout, f"Checkpoint {checkpoint!r} and {path}")
    return header.get("name", "")


def recipe_name(name: str, taken: Collection[str] = QUERY_KEYS) -> str:
    """The name of a vector in recipes: its own name, with "_" for other characters and with a number if the name is
    taken.
    """
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-")[:NAME_LENGTH] or "own"
    kept = f"v{kept}" if kept.isdigit() else kept  # browsers sort keys that are whole numbers first
    numbered = (f"{kept}-{i}" for i in itertools.count(2))
    return kept if kept not in taken else next(n for n in numbered if n not in taken)


def hashed_name(vector: TaskVector) -> str:
    """The same with the beginning of the vector's hash, so that two visitors' vectors of one name have different
    names.
    """
    return f"{recipe_name(vector.name, ())}-{vector.sha256[:HASH_LENGTH]}"


def read_all(
    paths: Sequence[Path], pretrained: Weights, checkpoint: str, taken: Collection[str] = ()
) -> dict[str, TaskVector]:
    """Vectors by their names in recipes, none of which is in `taken`. Raises as `read_own`."""
    found: dict[str, TaskVector] = {}
    for path in paths:
        vector = read_own(path, pretrained, checkpoint)
        found[recipe_name(vector.name, (*QUERY_KEYS, *taken, *found))] = vector
    return found


class UploadedVectors:
    """Vectors that visitors have added, by hashed name.

    If they would take more than `max_bytes`, the least recently used ones are dropped.

    Only the visitor who added a file knows its name: there is no list of them. `pretrained` is asked for the weights
    that vectors must have been made from when the first file comes.
    """

    def __init__(self, pretrained: Callable[[], Weights], checkpoint: str, max_bytes: int = KEPT_BYTES) -> None:
        self.pretrained, self.checkpoint = pretrained, checkpoint
        self._kept: BoundedCache[str, TaskVector] = BoundedCache(max_bytes, lambda v: v.buffer.nbytes)

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def add(self, path: Path) -> str:
        """Keep the vector of a file; the name that recipes use for it. Raises as `read_own`."""
        vector = read_own(path, self.pretrained(), self.checkpoint)
        name = hashed_name(vector)
        self._kept.get(name, lambda: vector)
        return name

    def get(self, name: str) -> TaskVector:
        """Raises `BadRecipeError` for a vector that is not kept, or no longer."""

        def gone() -> TaskVector:
            raise BadRecipeError(
                f"{self.checkpoint!r} has no task vector {name!r}; an uploaded one is kept for a while only: "
                "add its file again."
            )

        return self._kept.get(name, gone)
