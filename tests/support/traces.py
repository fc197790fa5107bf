"""A clip along λ whose answer flips twice, for the tests of its pictures."""

from __future__ import annotations

import numpy as np

from taskvec_demo.serve.trace import Trace

AXIS = np.array([-1.0, 0.0, 0.5, 1.0])
LABELS = ("rain", "a dog", "a <cello>", "wind", "a bell", "a car", "a bee")
VALUES = np.array(
    [
        [0.70, 0.10, 0.10, 0.04, 0.03, 0.02, 0.01],
        [0.30, 0.40, 0.20, 0.04, 0.03, 0.02, 0.01],
        [0.10, 0.60, 0.20, 0.04, 0.03, 0.02, 0.01],
        [0.10, 0.20, 0.60, 0.04, 0.03, 0.02, 0.01],
    ]
)
TRACE = Trace.of("urban", AXIS, LABELS, VALUES)
