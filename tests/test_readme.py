"""What the README promises: its Python example runs as printed, its commands and links exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from taskvec_demo import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
[EXAMPLE] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def answers(source: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Run an example from the repository's folder; what it prints must be probabilities."""
    printed: list[dict[str, float]] = []
    monkeypatch.chdir(ROOT)
    exec(compile(source, "README.md", "exec"), {"print": printed.append})
    [answer] = printed
    assert sum(answer.values()) == pytest.approx(1)
    return answer


def test_the_whole_job_takes_four_statements() -> None:
    steps = [node for node in ast.parse(EXAMPLE).body if not isinstance(node, ast.ImportFrom)]
    assert len(steps) == 4


def test_the_example_does_what_the_text_below_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    edited = answers(EXAMPLE, monkeypatch)
    pretrained = answers(EXAMPLE.replace(", edited))", "))"), monkeypatch)
    assert max(pretrained, key=pretrained.__getitem__) == "a siren"
    assert max(edited, key=edited.__getitem__) == "a car horn"


def commands() -> list[str]:
    lines = re.findall(r"^    python -m taskvec_demo (.*)$", README.replace("\\\n", " "), flags=re.MULTILINE)
    return [line.split("  #")[0].strip() for line in lines]


@pytest.mark.parametrize("command", commands())
def test_a_command_line_is_understood(command: str) -> None:
    cli._parser().parse_args(shlex.split(command))


def test_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).is_file()] == []
