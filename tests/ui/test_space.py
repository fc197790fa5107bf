"""The app as a Hugging Face Space starts it: variables instead of options, and packages beside ours."""

from __future__ import annotations

import importlib.util

import pytest

from tests.support.app_server import running_app

VARIABLES = {
    "SYSTEM": "spaces",
    "SPACE_ID": "me/demo",
    "SPACE_HOST": "me-demo.hf.space",
    "SPACE_AUTHOR_NAME": "me",
    "SPACE_REPO_NAME": "demo",
    "GRADIO_SERVER_NAME": "0.0.0.0",
}
USUAL = ("* Running on local URL:", "* To create a public link", "The model is open")


@pytest.mark.skipif(importlib.util.find_spec("spaces") is None, reason="needs `spaces` (requirements-dev.txt)")
def test_the_log_of_a_space_holds_no_complaint(tmp_path):
    """Without a loop that runs while the page is built, a dozen tracebacks of lost loops stand here."""
    with running_app(tmp_path, **VARIABLES) as server:
        assert server.answers()
        lines = server.log.splitlines()
    assert [line for line in lines if line.strip() and not line.startswith(USUAL)] == []
    assert len(lines) >= len(USUAL)
