"""The public endpoints as a program calls them: by name, over HTTP, with a recording that the client uploads."""

from __future__ import annotations

import gradio_client
import numpy as np
import pytest

TOLERANCE = 1e-5  # of a probability, between the app's process and this one


def recipe(**coefficients):
    return {"format": 1, "checkpoint": "tiny-clap", "coefficients": coefficients}


def classify(client, clip, recipe=None, labels=""):
    file = None if clip is None else gradio_client.handle_file(str(clip))
    return client.predict(clip=file, recipe=recipe, labels=labels, api_name="/classify")


def refused(call, *words):
    """The call fails with a sentence of ours that holds these words."""
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith("."), message
    assert "upstream Gradio app" not in message
    for word in words:
        assert word in message, message


def close(a, b, tolerance=TOLERANCE):
    return list(a) == list(b) and np.allclose(list(a.values()), list(b.values()), rtol=0, atol=tolerance)
