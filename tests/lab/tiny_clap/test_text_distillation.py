"""The text side of tiny-CLAP: the joint space, the tokenizer on disk, training that lowers the loss and resumes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoTokenizer, ClapConfig, ClapFeatureExtractor, ClapModel, ClapProcessor

from taskvec_demo.clap.loading import save_tokenizer
from taskvec_demo.clap.model import PAD, TextTower
from taskvec_demo.cli import main
from taskvec_demo.errors import BadArtifactError, TaskVecError
from taskvec_demo.lab.finetuning import training_state
from taskvec_demo.lab.tiny_clap import text_distillation as td
from taskvec_demo.lab.tiny_clap.captions import TEMPLATES
from taskvec_demo.lab.tiny_clap.teacher import (
    Corpus,
    cached_embeddings,
    concrete_nouns,
    is_held_out,
    meanings,
    speaker_phrases,
    text_corpus,
    unit,
    wordnet_phrases,
)
from taskvec_demo.lab.tiny_clap.text_space import TextSpace
from taskvec_demo.lab.tiny_clap.tokenizer import MAX_TOKENS, encode, train_tokenizer

DIM = 32
TOY = {
    **td.TEXT,
    "vocab_size": 320,
    "hidden_size": DIM,
    "num_hidden_layers": 1,
    "intermediate_size": 64,
    "projection_dim": DIM,
}
COLOURS = ("red", "blue", "green", "black", "white", "brown", "small", "big", "old", "young", "wild", "tame", "loud")
THINGS = ("dog", "cat", "horse", "bell", "drum", "siren", "river", "engine", "fan", "clock", "baby", "bird", "train")
TEXTS = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]


class HashTeacher:
    """Each word has a random vector drawn from its hash; a text is the unit sum of its words."""

    calls = 0

    def embed(self, texts, progress=False):
        self.calls += 1
        return unit(np.array([sum(map(self._word, text.split()), np.zeros(DIM + 8)) for text in texts], np.float32))

    @staticmethod
    def _word(word):
        seed = int(hashlib.sha256(word.encode()).hexdigest()[:8], 16)
        return np.random.default_rng(seed).standard_normal(DIM + 8)


@pytest.fixture(scope="module")
def toy():
    """(tokenizer, token ids, groups, targets) of the toy corpus."""
    torch.set_num_threads(1)
    rows = HashTeacher().embed(TEXTS)
    tokenizer = train_tokenizer(TEXTS, TOY["vocab_size"])
    return tokenizer, encode(tokenizer, TEXTS), np.zeros(len(TEXTS), int), TextSpace.fit(rows, DIM).project(rows)


def new_student():
    torch.manual_seed(0)
    return TextTower(TOY)


def settings(steps, **changes):
    return td.Settings(steps=steps, batch=32, peak_rate=5e-3, text=TOY, **changes)


# ---- the joint space
def test_projected_rows_are_unit_and_survive_a_round_trip(tmp_path):
    rows = HashTeacher().embed(TEXTS)
    space = TextSpace.fit(rows, DIM)
    projected = space.project(rows)
    assert projected.shape == (len(TEXTS), DIM)
    np.testing.assert_allclose(np.linalg.norm(projected, axis=1), 1, atol=1e-5)
    space.save(tmp_path / "space.npz")
    np.testing.assert_array_equal(TextSpace.load(tmp_path / "space.npz").project(rows), projected)
    assert [path.name for path in tmp_path.iterdir()] == ["space.npz"]


def test_the_space_is_the_centred_partly_whitened_pca():
    rng = np.random.default_rng(0)
    rows = unit(0.3 + rng.standard_normal((500, DIM + 8)) * np.linspace(1, 0.2, DIM + 8)).astype(np.float32)
    space = TextSpace.fit(rows, DIM)
    scores = (rows - rows.mean(0)) @ space.basis.T
    covariance = scores.T @ scores / len(rows)
    variance = np.sort(np.linalg.eigvalsh(np.cov(rows.T, bias=True)))[::-1][:DIM]
    np.testing.assert_allclose(np.diag(covariance), variance * (variance + 1e-4) ** -0.5, rtol=1e-3)
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-5)


def test_a_wrong_space_or_a_missing_wordnet_is_named(tmp_path):
    (tmp_path / "space.npz").write_text("no npz")
    with pytest.raises(BadArtifactError, match=r"space\.npz"):
        TextSpace.load(tmp_path / "space.npz")
    with pytest.raises(TaskVecError, match="apt-get install wordnet-base"):
        wordnet_phrases(tmp_path)
    with pytest.raises(TaskVecError, match="at least 32"):
        TextSpace.fit(np.ones((5, 40)), DIM)


def test_speakers_have_the_feelings_that_the_teacher_hears(tmp_path):
    """Of two adjectives only the one that equals an emotion is used. A lemma that is kept for measuring is not used."""
    line = "00000001 {kind:02d} {part} 02 {one} 0 {two} 0 000 | a gloss\n"
    (tmp_path / "data.adj").write_text(line.format(kind=0, part="a", one="angry", two="square"))
    (tmp_path / "data.noun").write_text(line.format(kind=18, part="n", one="pilot", two="secretary"))
    phrases = speaker_phrases(HashTeacher(), {"secretary"}, tmp_path)
    assert phrases
    assert all("angry" in p for p in phrases)
    assert any("pilot" in p for p in phrases)
    assert not any("secretary" in p or "square" in p for p in phrases)


def test_the_teacher_is_asked_once_for_each_chunk(tmp_path):
    teacher = HashTeacher()
    first = cached_embeddings(teacher, TEXTS, tmp_path)
    assert teacher.calls == 1
    np.testing.assert_array_equal(cached_embeddings(teacher, TEXTS, tmp_path), first)
    assert teacher.calls == 1
    cached_embeddings(teacher, TEXTS[:5], tmp_path)
    assert teacher.calls == 2


# ---- the tokenizer
@pytest.mark.parametrize("loader", ["AutoTokenizer", "ClapProcessor"])
def test_a_tokenizer_loaded_by_transformers_ignores_case_and_blanks(tmp_path, toy, loader):
    save_tokenizer(tmp_path, toy[0], MAX_TOKENS)
    ClapConfig(text_config=TOY, projection_dim=DIM).save_pretrained(tmp_path)
    ClapFeatureExtractor().save_pretrained(tmp_path)
    found = AutoTokenizer if loader == "AutoTokenizer" else ClapProcessor
    loaded = found.from_pretrained(tmp_path)
    tokenizer = getattr(loaded, "tokenizer", loaded)
    plain = tokenizer("red dog")["input_ids"]
    assert plain == list(encode(toy[0], ["red dog"])[0])
    for same in ("Red Dog", " red dog", "red   dog\n", "RED DOG "):
        assert tokenizer(same)["input_ids"] == plain
    assert tokenizer("red cat")["input_ids"] != plain
    dog, red = (tokenizer(word)["input_ids"][1:-1] for word in ("dog", "red"))
    assert tokenizer("dog red")["input_ids"][1:-1] == dog + red  # a first word is like any other
    batch = tokenizer(["dog", "small dog " * 60], padding=True, truncation=True)
    assert len(batch["input_ids"][0]) == MAX_TOKENS
    assert batch["input_ids"][0][-1] == PAD


# ---- training
def test_thirty_steps_lower_the_loss(tmp_path, toy):
    losses = td.train_student(new_student(), *toy[1:], settings(30), tmp_path / "text.pt")
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_the_loss_is_zero_only_for_the_teachers_rows(toy):
    rows = torch.from_numpy(toy[3][:16].astype(np.float32))
    assert td.distillation_loss(rows, rows).item() == pytest.approx(0, abs=1e-5)
    assert td.distillation_loss(rows.roll(1, 0), rows).item() > 0.1


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(tmp_path, toy, monkeypatch):
    whole = new_student()
    td.train_student(whole, *toy[1:], settings(12), tmp_path / "whole.pt")

    def stop(step, loss):
        if step == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_state, "SAVE_SECONDS", -1)  # after every step
    with pytest.raises(KeyboardInterrupt):
        td.train_student(new_student(), *toy[1:], settings(12), tmp_path / "parts.pt", on_step=stop)
    torch.manual_seed(1)  # the resumed process starts from other weights, which the state replaces
    resumed = TextTower(TOY)
    assert len(td.train_student(resumed, *toy[1:], settings(12), tmp_path / "parts.pt")) == 12 - 7
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_a_finished_run_takes_no_step_and_another_student_begins_anew(tmp_path, toy, capsys):
    state = tmp_path / "text.pt"
    assert len(td.train_student(new_student(), *toy[1:], settings(2), state)) == 2
    assert td.train_student(new_student(), *toy[1:], settings(2), state) == []
    assert len(td.train_student(TextTower({**TOY, "hidden_size": 16}), *toy[1:], settings(2), state)) == 2
    assert "the state of another training" in capsys.readouterr().out


def test_held_out_phrases_are_never_drawn(toy):
    held = np.arange(len(TEXTS)) % 4 == 0
    group = np.where(held, -1, 0)
    drawn = td.draw_pool(0, group, np.array([len(row) for row in toy[1]]), settings(1))
    assert drawn.shape == (td.POOL, 32)
    assert not held[drawn].any()
    assert held[td.draw_pool(0, group * 0, np.zeros(len(TEXTS)), settings(1))].any()


def test_corpus_marks_every_copy_of_a_held_out_text():
    corpus = Corpus((["dog", "cat"], ["cat"], [], ["the sound of dog"]), frozenset({"cat"}))
    assert corpus.group.tolist() == [0, -1, -1, 3]


# ---- the whole run
def fake_wordnet(folder):
    folder.mkdir()
    for part in ("verb", "adj", "adv"):
        for kind in ("data", "index"):
            (folder / f"{kind}.{part}").write_text("  1 the licence\n")
    lines = [
        f"{i:08d} 05 n 02 {text.replace(' ', '_')} 0 {text.split()[1].title()}(p) 0 000 | a {text}; it {i}  \n"
        for i, text in enumerate(TEXTS)
    ]
    (folder / "data.noun").write_text("  1 the licence\n" + "".join(lines))
    senses = [f"{text.replace(' ', '_')} n 1 0 1 0 {i:08d}  \n" for i, text in enumerate(TEXTS)]
    things = [f"{t} n 2 1 @ 2 1 {k:08d} {k + len(THINGS):08d}  \n" for k, t in enumerate(THINGS)]
    (folder / "index.noun").write_text("  1 the licence\n" + "".join(senses + things))


def test_wordnet_is_parsed(tmp_path):
    fake_wordnet(tmp_path / "wordnet")
    lemmas, glosses = wordnet_phrases(tmp_path / "wordnet")
    assert "red dog" in lemmas
    assert "Dog" in lemmas  # without its marker "(p)"
    assert "a red dog" in glosses  # the first clause only
    assert len(glosses) == len(TEXTS)
    assert set(concrete_nouns(len(THINGS), tmp_path / "wordnet")) == set(THINGS)
    found = meanings(tmp_path / "wordnet")
    assert found["red dog"] == "red dog, dog: a red dog"
    assert found["cat"] == "red cat, cat: a red cat"  # the first of its two senses


def test_no_group_of_the_corpus_has_a_phrase_that_is_kept_for_measuring(tmp_path):
    """Not a lemma of WordNet either, alone or in a template."""
    fake_wordnet(tmp_path / "wordnet")
    kept = frozenset({"red dog", "a red dog", "big drum"})
    corpora = [text_corpus(["Bark"], TEMPLATES, tmp_path / "wordnet", never=never) for never in (frozenset(), kept)]
    free, clean = ({text for part in corpus.parts for text in part} for corpus in corpora)
    assert kept & free
    assert not kept & clean
    templates = {template.format(text) for template in TEMPLATES for text in kept}
    assert templates & free
    assert not templates & clean


def test_a_word_lies_between_itself_and_its_meaning(tmp_path):
    teacher, told = HashTeacher(), {"whirlybird": "helicopter: an aircraft"}
    lemmas = ["dog", "whirlybird"]
    rows = Corpus((lemmas, ["a dog"]), frozenset(), told).embed(teacher, tmp_path).astype(np.float32)
    word, meaning = teacher.embed(["whirlybird", told["whirlybird"]])
    np.testing.assert_allclose(rows[1], unit(word + meaning), atol=2e-3)
    np.testing.assert_allclose(rows[[0, 2]], teacher.embed(["dog", "a dog"]), atol=2e-3)


def test_wordings_move_to_their_names_and_all_else_stays(toy, monkeypatch):
    names = {"big dog": ["big dog", "wild dog", "loud fan"], "old bell": ["old bell", "small bell", "loud fan"]}
    monkeypatch.setattr(td, "WORDINGS", names)
    student, (tokenizer, *_) = new_student(), toy
    texts = ["big dog", "wild dog", "this is a sound of wild dog", "loud fan", "small bell", "red river"]
    before = td.student_embeddings(student, tokenizer, texts)
    after = td.moved_wordings(student, tokenizer, texts)
    said = [t.format(name) for name in names for t in TEMPLATES]
    dog, bell = unit(td.student_embeddings(student, tokenizer, said).reshape(2, len(TEMPLATES), DIM).mean(1))
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(after[[0, 3, 5]], before[[0, 3, 5]])  # a name, a wording of both, none of either
    for row, name in ((1, dog), (2, dog), (4, bell)):
        assert after[row] @ name > max(0.9, before[row] @ name)


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_a_run_that_has_no_time_or_no_end_is_refused(minutes, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(td, "text_map", None)  # nothing is begun
    assert main(["distil-text", "--minutes", minutes, "--data", str(tmp_path), "--work", str(tmp_path)]) == 2
    assert f"The option minutes is a number above 0, not {minutes}." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_whole_run_writes_what_a_clap_model_loads(tmp_path):
    fake_wordnet(tmp_path / "wordnet")
    np.savez(tmp_path / "audioset_scores.npz", names=np.array(["Speech", "Bark"]))
    work = tmp_path / "work"
    work.mkdir()
    teacher = HashTeacher()
    TextSpace.fit(teacher.embed(TEXTS), DIM).save(work / "space.npz")

    def run():
        return td.distil_text(
            work, tmp_path, settings=settings(4), teacher=teacher, folder=tmp_path / "wordnet", progress=False
        )

    report = run()
    output = work / "text"
    assert json.loads((output / "text_agreement.json").read_text()) == json.loads(json.dumps(report))
    assert report["held_out_cosine"]["n"] == sum(map(is_held_out, {*TEXTS, *THINGS}))
    assert report["rewordings"]["student"]["all"]["n"] >= 60
    config = json.loads((output / "text_config.json").read_text())
    model = ClapModel(ClapConfig(text_config=config, projection_dim=DIM))
    state = load_file(output / "text.safetensors")
    assert (output / "text.safetensors").stat().st_mode & 0o777 == 0o644  # the library alone leaves 0o600
    assert set(state) == {name for name in model.state_dict() if name.startswith("text_")}
    model.load_state_dict(state, strict=False)
    tokenizer = AutoTokenizer.from_pretrained(output / "tokenizer")
    batch = tokenizer(["A dog barking", "rain"], padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = model.eval().get_text_features(**batch).pooler_output
    student = TextTower(TOY)
    student.load_state_dict(state)
    wanted = td.student_embeddings(
        student, Tokenizer.from_file(str(Path(output, "tokenizer", "tokenizer.json"))), ["a dog barking", "rain"]
    )
    np.testing.assert_allclose(unit(found.numpy()), wanted, atol=1e-5)
    assert run() == report  # finished: measured again, not trained again
