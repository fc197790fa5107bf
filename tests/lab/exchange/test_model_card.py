"""The model card says what the tables say; the shipped one is up to date, and what is generic holds for any study."""

from __future__ import annotations

import ast
import re
import shutil
import textwrap
from pathlib import Path

import pytest

from taskvec_demo.clap.embedded import EMBEDDED
from taskvec_demo.cli import main
from taskvec_demo.core.files import sha256_of
from taskvec_demo.lab.exchange.model_card import CARD, FIGURES, model_card
from taskvec_demo.lab.studies.ballanti import BALLANTI
from taskvec_demo.lab.tiny_clap.study import TINY
from taskvec_demo.serve.artifacts import Artifacts, read_json, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that a card is made from, without the weights."""
    shutil.copytree(EMBEDDED / "tables", tmp_path / "tables")
    shutil.copytree(EMBEDDED / "surfaces", tmp_path / "surfaces")
    shutil.copy(EMBEDDED / "manifest.json", tmp_path)
    return tmp_path


def test_the_shipped_card_is_up_to_date_with_its_tables() -> None:
    shipped = Artifacts(EMBEDDED, verify=False)
    made = model_card(TINY, shipped.name, shipped.pretrained_sha256, EMBEDDED)
    assert (EMBEDDED / CARD).read_text(encoding="utf-8") == made, "run `python -m taskvec_demo card`"


def test_the_lines_of_python_in_the_shipped_card_run(monkeypatch, capsys) -> None:
    card = (EMBEDDED / CARD).read_text(encoding="utf-8")
    lines = re.search(r"(?:^    .*\n|^\n)*^    .*from_pretrained.*\n(?:^    .*\n|^\n)*", card, re.MULTILINE)
    monkeypatch.chdir(EMBEDDED.parents[1])
    exec(textwrap.dedent(lines.group()), {})
    shares = ast.literal_eval(capsys.readouterr().out)
    assert max(shares, key=shares.get) == "a siren"


def test_the_command_follows_a_table_that_changed(folder: Path) -> None:
    path = folder / "tables" / "negation.json"
    table = read_json(path)
    table["rows"][0]["target"]["edited"] = {"accuracy": 0.1234, "low": 0.1, "high": 0.15}
    write_json(path, table)
    assert main(["card", "--artifacts", str(folder)]) == 0
    card = folder / CARD
    n = table["rows"][0]["target"]["n"]
    assert f"→ 12.3 [10.0, 15.0], n = {n}" in card.read_text(encoding="utf-8")
    assert Artifacts(folder, verify=False).files[CARD] == sha256_of(card)


def test_a_card_of_another_study_than_the_folder_was_built_for_is_not_written(folder: Path, capsys) -> None:
    options = ["card", "--artifacts", str(folder)]
    assert main([*options, "--study", "ballanti"]) == 2
    assert "not those of the study 'ballanti': say with --study which one it was built for" in capsys.readouterr().err
    manifest = read_json(folder / "manifest.json")
    write_json(folder / "manifest.json", manifest | {"tasks": [t.to_dict() for t in BALLANTI.tasks.values()]})
    assert main(options) == 2  # without --study it would be that of tiny-CLAP
    assert "not those of the study 'tiny'" in capsys.readouterr().err
    assert not (folder / CARD).exists()
    assert main([*options, "--study", "ballanti"]) == 0
    assert "UrbanSound8K" in (folder / CARD).read_text(encoding="utf-8")


def test_what_only_tiny_clap_is_stands_in_no_other_card(folder: Path) -> None:
    own = model_card(TINY, "tiny-clap", "0" * 64, folder)
    assert "16 kHz" in own
    write_json(folder / "pretrained.json", {"spec": "some/clap", "repo": "some/clap", "revision": "1" * 40})
    for other in (model_card(study, "some-clap", "0" * 64, folder) for study in (BALLANTI, TINY)):
        assert "GTZAN" in other
        assert "16 kHz" not in other
        assert "fairness" in other
        assert FIGURES not in other


def test_the_hand_written_part_has_no_accuracies_that_could_grow_old() -> None:
    assert TINY.card is not None
    text = TINY.card.read_text(encoding="utf-8")
    assert re.findall(r"%(?! of the (?:clips|sources|tracks))", text) == []  # shares of what was told are no accuracies
    assert text.count(FIGURES) == 1
