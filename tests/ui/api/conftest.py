"""A client of the running app, and the same answers computed in this process."""

from __future__ import annotations

import gradio_client
import pytest

from tests.support.paths import ARTIFACTS


@pytest.fixture(scope="session")
def client(server):
    return gradio_client.Client(server.url, verbose=False, analytics_enabled=False)


@pytest.fixture(scope="session")
def workbench():
    """On the same files as the app, in this process."""
    from taskvec_demo.serve.artifacts import Artifacts
    from taskvec_demo.serve.workbench import Workbench

    return Workbench(Artifacts(ARTIFACTS))


@pytest.fixture(scope="session")
def example():
    return sorted((ARTIFACTS / "examples").iterdir())[0]


@pytest.fixture
def quiet_log(server):
    """The app's log gains no traceback during the test."""
    before = len(server.log)
    yield
    assert server.traceback_since(before) == ""
