"""Small stand-ins for downloads in docs/how-to.md: a CLAP of LAION's form, the four sets, and fine-tuned copies of the
CLAP.

    python -m tests.stand_ins FOLDER

FOLDER/clap: a random `ClapModel` with LAION's front end (48 kHz, 10 s) and a fraction of its width. FOLDER/data:
synthetic copies of ESC-50, UrbanSound8K, GTZAN and of gender and emotion in speech, in their own layouts. FOLDER/tuned
and FOLDER/adapter: the same model after some change to its audio tower, whole and as a LoRA adapter of peft.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from taskvec_demo.clap.laion import PREPROCESSOR
from taskvec_demo.clap.loading import save_checkpoint, save_tokenizer
from taskvec_demo.clap.model import new_model
from taskvec_demo.lab.tiny_clap.captions import all_captions
from taskvec_demo.lab.tiny_clap.tokenizer import MAX_TOKENS, train_tokenizer
from tests.support.layout_copies import (
    GENDER_EMOTION,
    write_esc50,
    write_gender_emotion,
    write_gtzan,
    write_urbansound8k,
)
from tests.support.random_artifacts import AUDIO, DIM, MEL_MEAN, MEL_VARIANCE, SMALL_TEXT, VOCABULARY

LAION_FORM = AUDIO | {"spec_size": 256, "window_size": 8}  # 1001 frames of 64 mels
VOICES = [name for name in GENDER_EMOTION if name.endswith(("happy", "sad"))]


def write_stand_ins(folder: Path, seed: int = 0) -> None:
    """Write everything under `folder`, which must not hold it yet."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = train_tokenizer(all_captions(), VOCABULARY)
        model = new_model(LAION_FORM, SMALL_TEXT | {"vocab_size": tokenizer.get_vocab_size()}, DIM)
        norm = model.audio_model.audio_encoder.batch_norm
        norm.running_mean.fill_(MEL_MEAN)
        norm.running_var.fill_(MEL_VARIANCE)
        adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules=r"audio_model\..*\.(query|value)"))
        change([p for p in adapted.parameters() if p.requires_grad], 0.05)
        adapted.save_pretrained(folder / "adapter")
        model = adapted.unload()
        with tempfile.TemporaryDirectory() as temporary:
            save_tokenizer(Path(temporary), tokenizer, MAX_TOKENS)
            save_checkpoint(folder / "clap", model, PREPROCESSOR, Path(temporary))
            model.float()
            change(list(model.audio_model.parameters()), 0.002)
            model.save_pretrained(folder / "tuned", max_shard_size="300KB")
    write_esc50(folder / "data" / "ESC-50")
    write_urbansound8k(folder / "data" / "UrbanSound8K")
    write_gtzan(folder / "data" / "GTZAN", corrupted=False)
    write_gender_emotion(folder / "data" / "gender_emotion", VOICES)


def change(parameters: list[torch.nn.Parameter], size: float) -> None:
    with torch.no_grad():
        for parameter in parameters:
            parameter.add_(size * torch.randn_like(parameter))


if __name__ == "__main__":
    write_stand_ins(Path(sys.argv[1]))
