"""The results of the speech and music study: sentences with n and interval, a table of test figures, and the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ...core.intervals import MIN_SOURCES
from .explore import badge, panel
from .numbers import number_text
from .paper_cells import html_table
from .speech_music import domain_title

WANTED_GAIN = 0.05  # of a student over the initialisation, in its own domain
WANTED_RANK = 0.9  # of the correlation between a domain's average and the dial
ALLOWED_LOSS = 0.01  # of the sum against the ensemble
MODELS = {  # entry of `test` -> head of its column
    "initial": "Initial",
    "speech": "Speech student",
    "sum": "Sum",
    "music": "Music student",
    "ensemble": "Ensemble",
    "speech_teacher": "Speech teacher",
    "music_teacher": "Music teacher",
}


@dataclass(frozen=True)
class Claim:
    """A claim, a sentence with its figures, and whether it holds; None for a sentence that claims nothing."""

    claim: str
    sentence: str
    reached: bool | None = None
    sure: bool = True  # whether the whole interval says so

    def html(self) -> str:
        if self.reached is None:
            state, word = "plain", "measured"
        else:
            word = "reached" if self.reached else "not reached"
            word += "" if self.sure else ", undecided"
            state = "up" if self.reached else "down"
        sign = {"up": "✓ ", "down": "✗ ", "plain": ""}[state]
        told = f"<b>{self.claim}</b> {self.sentence}"
        return f"<li><span class='tv-claim tv-{state}'>{sign}{word}</span> <span>{told}</span></li>"


def results_html(contents: Mapping[str, Any]) -> str:
    """All panels below the visitor's clip."""
    claims = [*_ends(contents), *_follows(contents), _against(contents), _alone(contents), _tests(contents)]
    claims.append(_cost(contents))
    shown = f"<ul class='tv-claims'>{''.join(c.html() for c in claims)}</ul>"
    few = [t["title"].lower() for t in contents["tasks"] if t["test_sources"] < MIN_SOURCES]
    sure = (
        "Intervals are 95 % bootstrap intervals over sources, over clips where a test set has fewer than "
        f"{MIN_SOURCES} sources ({', '.join(few)}): those say nothing of other sources. “Undecided”: the interval "
        "crosses what was wanted."
    )
    return (
        "<div class='tv-explore'>"
        + panel("dial-shows", "What the numbers carry", badge("exact", "measured"), sure, shown, wide=True)
        + panel("dial-test", "Test figures", badge("exact", "test"), _table_lead(contents), _table(contents), wide=True)
        + "</div>"
    )


def points(share: float) -> str:
    """A share in percentage points, with its sign: +3.1"""
    return number_text(100 * share, "+.1f")


def _between(figure: Mapping[str, float]) -> str:
    return f"<b>{points(figure['value'])} points</b> [{points(figure['low'])}, {points(figure['high'])}]"


def _answers(contents: Mapping[str, Any], split: str, domain: str | None = None) -> str:
    own = [t for t in contents["tasks"] if domain in (None, t["domain"])]
    return f"{len(own)} tasks, n = {sum(t['clips'][split] for t in own):,} {split} answers"


def _ends(contents: Mapping[str, Any]) -> list[Claim]:
    found = []
    for domain, figure in contents["ends"].items():
        reached = figure["value"] >= WANTED_GAIN
        sure = (figure["low"] >= WANTED_GAIN) if reached else (figure["high"] < WANTED_GAIN)
        claim = f"The {domain} student beats the initialisation by 5 points or more on {domain} tasks."
        found.append(Claim(claim, f"{_between(figure)}; {_answers(contents, 'test', domain)}.", reached, sure))
    return found


def _follows(contents: Mapping[str, Any]) -> list[Claim]:
    inside = [x for x in contents["dial"]["speech"] if 0 <= x <= 1]
    found = []
    for domain, figure in contents["follows"].items():
        reached = figure["value"] >= WANTED_RANK
        sure = (figure["low"] >= WANTED_RANK) if reached else (figure["high"] < WANTED_RANK)
        low, value, high = (number_text(figure[k]) for k in ("low", "value", "high"))
        sentence = (
            f"Rank correlation <b>{value}</b> [{low}, {high}] over {len(inside)} points; "
            f"{_answers(contents, 'validation', domain)}. Wanted: 0.9."
        )
        found.append(Claim(f"The mean of the {domain} tasks follows λ of {domain}.", sentence, reached, sure))
    return found


def _against(contents: Mapping[str, Any]) -> Claim:
    every = contents["against_ensemble"]["all"]
    reached = every["value"] >= -ALLOWED_LOSS
    sure = (every["low"] >= -ALLOWED_LOSS) if reached else (every["high"] < -ALLOWED_LOSS)
    parts = [
        f"{domain_title(d).lower()} {points(f['value'])} [{points(f['low'])}, {points(f['high'])}]"
        for d, f in contents["against_ensemble"].items()
        if d != "all"
    ]
    speech = contents["chosen"]["sum"][0]
    sentence = (
        f"λ of speech = {speech:g}, chosen on validation: {_between(every)} against the ensemble, the mean of the "
        f"domains ({'; '.join(parts)}); {_answers(contents, 'test')}."
    )
    return Claim("The sum is within 1 point of the ensemble, or better.", sentence, reached, sure)


def _alone(contents: Mapping[str, Any]) -> Claim:
    told = [f"{_between(f)} against the {name} student" for name, f in contents["against_students"].items()]
    sentence = f"The mean of the domains: {'; '.join(told)}; {_answers(contents, 'test')}."
    return Claim("The sum against one student alone.", sentence)


def _tests(contents: Mapping[str, Any]) -> Claim:
    tasks = {t["name"]: t for t in contents["tasks"]}
    found = [m for m in contents["mcnemar"] if m["significant"]]
    told = [
        f"{escape(tasks[m['task']]['title'])} {points(m['difference'])} (p {_p(m['p'])}, n = {m['n']} clips of "
        f"{tasks[m['task']]['test_sources']} sources)"
        for m in sorted(found, key=lambda m: m["difference"])
    ]
    rest = len(contents["mcnemar"]) - len(found)
    differ = f"{len(found)} differ{'s' * (len(found) == 1)}: {'; '.join(told)}" if found else "None differs"
    sentence = (
        f"{differ}. For the other {rest} no difference is shown. McNemar’s exact test on the same test clips, "
        "Benjamini–Hochberg at 5 % false discoveries; it takes clips of one source as independent; "
        f"{_answers(contents, 'test')}."
    )
    return Claim(f"The sum against the ensemble, in {len(contents['mcnemar'])} tasks.", sentence)


def _p(p: float) -> str:
    return "&lt; 0.001" if p < 0.001 else f"= {p:.3f}"


def _cost(contents: Mapping[str, Any]) -> Claim:
    runs = {c["run"]: c for c in contents["cost"]}
    alone = [runs[name] for name in contents["ends"]]
    both, warm = runs["ensemble"], runs["warm-up"]
    sentence = (
        f"Two students, half of it each: {_sum(alone, 'windows'):,} windows, {_sum(alone, 'seconds'):,.0f} s. "
        f"Ensemble: {both['windows']:,} windows, {both['seconds']:,.0f} s. Before either: a common warm-up of "
        f"{warm['windows']:,} windows, {warm['seconds']:,.0f} s, without speech or music."
    )
    return Claim("What training cost.", sentence)


def _sum(runs: Sequence[Mapping[str, Any]], key: str) -> float:
    return sum(run[key] for run in runs)


def _table_lead(contents: Mapping[str, Any]) -> str:
    return (
        "Accuracy in percent with its 95 % Wilson interval, looked at once, for the sum at λ of speech = "
        f"{contents['chosen']['sum'][0]:g}. ▲ ▼: above or below the ensemble beyond "
        "chance. Ensemble: one student that learned from all teachers at once. Initial: the common start, after the "
        "warm-up. Speech teacher: two models, their outputs joined. Features are frozen; heads are ridge "
        "regressions whose strength validation clips chose. Clips of one source answer alike, so that intervals are "
        "too narrow where sources are few."
    )


def _table(contents: Mapping[str, Any]) -> str:
    marks = {m["task"]: "▲" if m["difference"] > 0 else "▼" for m in contents["mcnemar"] if m["significant"]}
    rows = []
    for task in contents["tasks"]:
        sources = task["test_sources"]
        n = f"{task['clips']['test']}<br><small>{sources}&nbsp;source{'s' * (sources != 1)}</small>"
        cells = [
            _cell(contents["test"][m][task["name"]], marks.get(task["name"], "") if m == "sum" else "") for m in MODELS
        ]
        name = f"{escape(task['title'])}<br><small>split by {escape(task['split_by'])}</small>"
        rows.append((name, [domain_title(task["domain"]), n, *cells]))
    button = "<button type='button' class='tv-load' data-save='csv'>Save as CSV</button>"
    return html_table("speech-music", ["Task", "Domain", "n", *MODELS.values()], rows) + f"<p>{button}</p>"


def _cell(figures: Mapping[str, float], mark: str) -> str:
    low, high = (f"{100 * figures[k]:.0f}" for k in ("low", "high"))
    return f"{100 * figures['accuracy']:.1f}{mark and f'&nbsp;{mark}'}<br><small>[{low}, {high}]</small>"
