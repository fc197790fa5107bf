"""What the laion-clap package answers to a few clips and texts, to compare a converted checkpoint with.

laion-clap is only ever run in a process of its own: importing it parses `sys.argv`, and its model asks the hub for
RoBERTa, for which a random one of the file's size stands in until the file's weights replace it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ...clap.embedded import REPOSITORY
from ...clap.features import log_mel
from ...clap.laion import architecture
from ...clap.loading import load_tokenizer
from ...clap.model import Checkpoint
from ...clap.sources import Source
from ...core.weights import read_safetensors, write_safetensors
from ...errors import BadArtifactError
from ...recordings.audio import clip_from_array, windows
from ..data.synth import examples

LEAST_COSINE = 0.9999
PROBE_CLIPS = ("dog_bark", "sea_waves", "siren", "guitar")  # of `synth.examples`
PROBE_TEXTS = (
    "dog",
    "This is a sound of rain.",
    "a siren in the distance, then silence",
    "This audio is a blues song.",
)
SYNTH_RATE = 16_000  # Hz
N_SECONDS = 10  # of a window of every LAION checkpoint

# What laion-clap's `model` answers to the file of `probes`, written to the file `answers`.
ANSWER = """
from taskvec_demo.core.weights import read_safetensors, write_safetensors
model.eval()
given, _ = read_safetensors(probes)
with torch.no_grad():
    branch = model.audio_branch
    write_safetensors(answers, {
        "audio": model.get_audio_embedding([{"waveform": window} for window in given["windows"]]),
        "text": model.get_text_embedding({"input_ids": given["ids"], "attention_mask": given["mask"]}),
        "mel": branch.logmel_extractor(branch.spectrogram_extractor(given["windows"])).contiguous(),
    }, {})
"""
# Run by `python -c` with: laion-clap's name of the tower, the RoBERTa configuration, the .pt, the probes, the answers.
REFERENCE = """
import json, sys
amodel, text, path, probes, answers = sys.argv[1:]
sys.argv[1:] = []  # laion_clap parses them when it is imported
import torch, transformers
from pathlib import Path
from taskvec_demo.clap.checkpoint_files import read_checkpoint
roberta = transformers.RobertaConfig(pad_token_id=1, type_vocab_size=1, **json.loads(text))
transformers.RobertaModel.from_pretrained = lambda *_, **__: transformers.RobertaModel(roberta)
import laion_clap
from clap_module import create_model
model, _ = create_model(amodel, "roberta")
missing, unexpected = model.load_state_dict(read_checkpoint([Path(path)], path), strict=False)
buffers = {name for name, _ in model.named_buffers()}
wrong = [*(set(missing) - buffers), *(n for n in unexpected if not n.startswith("text_branch.embeddings."))]
if wrong:
    sys.exit(f"laion-clap does not know what to do with {wrong[0]}")
"""


@dataclass(frozen=True)
class Comparison:
    """Cosines of our embeddings to laion-clap's, one a probe, and the largest difference of the log-mel, in dB.

    Centred cosines leave out what all probes have in common. A wrong model that answers all probes nearly alike would
    pass the plain cosines.
    """

    audio: tuple[float, ...]
    text: tuple[float, ...]
    audio_centred: tuple[float, ...]
    text_centred: tuple[float, ...]
    mel_difference: float

    @property
    def passed(self) -> bool:
        return all(c > LEAST_COSINE for c in (*self.audio, *self.text, *self.audio_centred, *self.text_centred))

    def __str__(self) -> str:
        def row(name: str, cosines: tuple[float, ...], centred: tuple[float, ...]) -> str:
            return f"{name:6} {len(cosines):2} probes, least cosine {min(cosines):.7f}, centred {min(centred):.7f}"

        return "\n".join(
            (
                row("clips", self.audio, self.audio_centred),
                row("texts", self.text, self.text_centred),
                f"log-mel: largest difference {self.mel_difference:.4f} dB",
                f"{'equal to' if self.passed else 'NOT equal to'} laion-clap (each cosine must exceed {LEAST_COSINE})",
            )
        )


def compare(source: Source, folder: Path) -> Comparison:
    """Compare the checkpoint in `folder` with what laion-clap makes of the `.pt` that it was converted from.

    Clips are synthesized, texts are `PROBE_TEXTS`; both models get the same samples and the same token ids. Raises
    BadArtifactError when laion-clap cannot be run.
    """
    checkpoint = Checkpoint.from_folder(folder)
    given = probes(checkpoint.features.sample_rate, folder)
    answers = _reference(source, given)
    mel = log_mel(given["windows"].numpy(), checkpoint.features)
    audio, text = checkpoint.embed_audio(mel), checkpoint.embed_text(PROBE_TEXTS)
    return Comparison(
        _cosines(audio, answers["audio"]),
        _cosines(text, answers["text"]),
        _cosines(audio - audio.mean(0), answers["audio"] - answers["audio"].mean(0)),
        _cosines(text - text.mean(0), answers["text"] - answers["text"].mean(0)),
        float((mel - answers["mel"]).abs().max()),
    )


def probes(rate: int, tokenizer: Path) -> dict[str, torch.Tensor]:
    """What both models are given: windows (n_clips, samples) at `rate` Hz, and the texts' token ids and mask."""
    clips = np.concatenate([probe_clip(name, rate) for name in PROBE_CLIPS])
    tokens = load_tokenizer(str(tokenizer))(list(PROBE_TEXTS), padding=True, return_tensors="pt")
    return {"windows": torch.from_numpy(clips), "ids": tokens["input_ids"], "mask": tokens["attention_mask"]}


def probe_clip(name: str, rate: int) -> np.ndarray:
    """One window (1, 10 s) at `rate` Hz of a synthesized example, with faint noise above the 8 kHz it reaches."""
    clip = clip_from_array(examples()[name], SYNTH_RATE, rate)
    window = windows(clip.samples, N_SECONDS * rate)[:1]
    noise = np.random.default_rng(len(name)).standard_normal(window.shape)
    return (window + 0.003 * noise).astype(np.float32)


def _reference(source: Source, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    assert source.state is not None  # since it is a file
    amodel, config = architecture(source.state, source.spec)
    text = json.dumps(config["text_config"])
    with tempfile.TemporaryDirectory() as folder:
        asked, answers = Path(folder) / "probes.safetensors", Path(folder) / "answers.safetensors"
        write_safetensors(asked, given, {})
        files = str(source.path.resolve()), str(asked), str(answers)
        command = [sys.executable, "-W", "ignore", "-c", REFERENCE + ANSWER, amodel, text, *files]
        root = str(REPOSITORY)
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": root}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BadArtifactError(f"The reference, laion-clap, could not be run on {source.spec}: {reason}")
        return read_safetensors(answers)[0]


def _cosines(ours: torch.Tensor, theirs: torch.Tensor) -> tuple[float, ...]:
    return tuple(F.cosine_similarity(ours.double(), theirs.double(), dim=-1).tolist())
