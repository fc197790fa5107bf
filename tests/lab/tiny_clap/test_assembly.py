"""What only the artifacts of tiny-CLAP have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from taskvec_demo.clap.features import log_mel
from taskvec_demo.clap.model import Checkpoint
from taskvec_demo.core.zero_shot import ZeroShotHead
from taskvec_demo.lab.data.synth import synthesize
from taskvec_demo.lab.tiny_clap.assembly import heard_classes
from taskvec_demo.recordings.audio import windows


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
