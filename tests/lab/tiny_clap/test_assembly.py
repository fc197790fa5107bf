"""What only the artifacts of tiny-CLAP have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from taskvec_demo.clap.features import log_mel
from taskvec_demo.clap.loading import save_tokenizer
from taskvec_demo.clap.model import Checkpoint, new_model
from taskvec_demo.clap.sources import resolve
from taskvec_demo.core.weights import write_safetensors
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.errors import TaskVecError
from taskvec_demo.lab.build import prepare
from taskvec_demo.lab.data.synth import synthesize
from taskvec_demo.lab.tiny_clap import architecture as tiny
from taskvec_demo.lab.tiny_clap.assembly import heard_classes
from taskvec_demo.lab.tiny_clap.captions import all_captions
from taskvec_demo.lab.tiny_clap.study import TINY
from taskvec_demo.lab.tiny_clap.tokenizer import MAX_TOKENS, train_tokenizer
from taskvec_demo.recordings.audio import windows
from taskvec_demo.serve.artifacts import write_json
from tests.support.random_artifacts import SMALL_TEXT, VOCABULARY


def test_a_class_is_kept_if_half_of_its_clips_are_named_right(random_model: Path) -> None:
    checkpoint = Checkpoint.from_folder(random_model, "random")

    def embedded(samples: np.ndarray) -> torch.Tensor:
        window = windows(samples, checkpoint.features.n_samples)
        return torch.nn.functional.normalize(checkpoint.embed_audio(log_mel(window, checkpoint.features))[0], dim=-1)

    rain, tick = synthesize("esc50", "rain"), synthesize("esc50", "clock_tick")
    rows = torch.stack([embedded(rain), embedded(tick), -embedded(rain)])
    head = ZeroShotHead(("rain", "clock_tick", "never"), rows)
    clips = [(name, sound) for name in ("rain", "never") for sound in (rain, rain)]
    clips += [("clock_tick", tick), ("clock_tick", rain)]
    found = heard_classes(checkpoint, {"sounds": head}, [("sounds", *clip) for clip in clips])
    assert found == {("sounds", "rain"), ("sounds", "clock_tick")}


def train_towers(work: Path, seed: int) -> None:
    """What `pretrain` and `distil-text` leave in a work folder, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = train_tokenizer(all_captions(), VOCABULARY)
        model = new_model(tiny.AUDIO, SMALL_TEXT | {"vocab_size": VOCABULARY, "projection_dim": tiny.DIM}, tiny.DIM)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    for part, file in ((("audio_", "logit_scale_a"), "audio.safetensors"), ("text_", "text/text.safetensors")):
        write_safetensors(work / file, {n: t for n, t in state.items() if n.startswith(part)}, {"format": "pt"})
    write_json(work / "text" / "text_config.json", model.config.text_config.to_dict())
    save_tokenizer(work / "text" / "tokenizer", tokenizer, MAX_TOKENS)


def test_towers_that_were_trained_anew_are_never_left_out_in_silence(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "tiny-clap"
    train_towers(work, seed=0)
    prepare(TINY, work, out, None)
    first = resolve(str(out / "model")).sha256
    prepare(TINY, work, out, None)  # a second call finds its own model
    prepare(TINY, tmp_path / "nothing trained", out, None)
    train_towers(work, seed=1)
    with pytest.raises(TaskVecError, match=r"are not those of .*: give another --artifacts"):
        prepare(TINY, work, out, None)
    (work / "text" / "text.safetensors").unlink()  # one of the towers is enough
    with pytest.raises(TaskVecError, match="are not those of"):
        prepare(TINY, work, out, None)
    assert resolve(str(out / "model")).sha256 == first
    train_towers(work, seed=1)
    prepare(TINY, work, tmp_path / "another", None)
    assert resolve(str(tmp_path / "another" / "model")).sha256 != first
