"""A recipe says which task vectors are added to which checkpoint, and how much of each.

A recipe is data: it is frozen and hashable, and can be written as JSON or as a URL. `edit.apply_recipe` carries it out.
This module also owns every bound on a scaling coefficient λ; sliders, API and command line read the limits from here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from reprlib import Repr
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode

from taskvec_demo.errors import BadRecipeError

FORMAT = 1  # version of the JSON form; a recipe of another version is refused
RULES = ("linear",)  # merge rules a recipe may name
MAX_SCALING_COEF = 2.0  # |λ| accepted in a recipe: one row at SLIDER_MAX plus one analogy term at SLIDER_MAX
SLIDER_MAX = 1.0  # the UI's sliders end here; with negation they begin at −SLIDER_MAX
SLIDER_STEP = 0.01
MEASURED_LOW = -1.0  # accuracy was measured for MEASURED_LOW <= λ <= MEASURED_HIGH; outside it is extrapolated
MEASURED_HIGH = 1.0
QUERY_KEYS = ("ckpt", "rule", "pt")  # the URL form's other keys are vector names, so no vector may be called these

_DECIMALS = 4  # decimals of a stored λ: far finer than SLIDER_STEP, and coarse enough that 0.1 + 0.2 equals 0.3
_MAX_QUERY_FIELDS = 64
_MINUS = "\N{MINUS SIGN}"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_CHECKPOINT = re.compile(rf"{_NAME.pattern}(/{_NAME.pattern})?")  # "name" or hub id "owner/name", never a path
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)  # float() accepts "nan" and "1_0"
_REQUIRED_KEYS = ("format", "checkpoint", "coefficients")
_KEYS = (*_REQUIRED_KEYS, "rule", "pretrained_sha256")
_repr = Repr()
_repr.maxstring = _repr.maxother = 80  # an error message quotes at most this much of a recipe


@dataclass(frozen=True)
class Recipe:
    """θ_new = θ_pt + Σ λ_i τ_i, as data.

    `coefficients` maps vector name -> λ (no unit, |λ| <= MAX_SCALING_COEF). It is kept read-only, sorted by name,
    rounded to 4 decimals and without zeros, so two recipes that mean the same edit are equal and hash alike. If
    `pretrained_sha256` (64 hex digits) is given, the recipe is for exactly those pre-trained weights. Raises
    BadRecipeError on any invalid value.
    """

    checkpoint: str
    coefficients: Mapping[str, float] = field(default_factory=dict)
    rule: str = "linear"
    pretrained_sha256: str | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.checkpoint, str) and _CHECKPOINT.fullmatch(self.checkpoint)):
            raise BadRecipeError(
                f"The checkpoint must be a name such as 'tiny-clap' or a hub id 'owner/name', "
                f"not {_repr.repr(self.checkpoint)}."
            )
        if self.rule not in RULES:
            raise BadRecipeError(f"Unknown merge rule {_repr.repr(self.rule)}; the rules are: {', '.join(RULES)}.")
        sha256 = self.pretrained_sha256
        if sha256 is not None and not (isinstance(sha256, str) and _SHA256.fullmatch(sha256)):
            raise BadRecipeError(f"pretrained_sha256 must be 64 lower-case hex digits, not {_repr.repr(sha256)}.")
        if not isinstance(self.coefficients, Mapping):
            raise BadRecipeError(
                f"The coefficients must map vector names to numbers, not be {_repr.repr(self.coefficients)}."
            )
        checked = {}
        for name, value in self.coefficients.items():
            if not (isinstance(name, str) and _NAME.fullmatch(name)) or name in QUERY_KEYS:
                raise BadRecipeError(
                    f"A vector name is up to 64 letters, digits, '_', '-' or '.', begins with a letter or digit and is "
                    f"none of {', '.join(QUERY_KEYS)}, not {_repr.repr(name)}."
                )
            what = f"The scaling coefficient of {name!r}"
            checked[name] = round(_number(value, what, -MAX_SCALING_COEF, MAX_SCALING_COEF), _DECIMALS)
        kept = {name: checked[name] for name in sorted(checked) if checked[name] != 0}
        object.__setattr__(self, "coefficients", MappingProxyType(kept))

    def __hash__(self) -> int:
        return hash((self.checkpoint, tuple(self.coefficients.items()), self.rule, self.pretrained_sha256))

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping proxy cannot be copied, and gradio deep-copies what it keeps as session state.
        return Recipe, (self.checkpoint, dict(self.coefficients), self.rule, self.pretrained_sha256)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form as a new plain dict; `pretrained_sha256` only when set."""
        data: dict[str, Any] = {
            "format": FORMAT,
            "checkpoint": self.checkpoint,
            "coefficients": dict(self.coefficients),
            "rule": self.rule,
        }
        if self.pretrained_sha256 is not None:
            data["pretrained_sha256"] = self.pretrained_sha256
        return data

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal recipe."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text_or_dict: str | Mapping[str, Any]) -> Recipe:
        """Reads JSON text or its parsed form. Strict: unknown, missing or repeated keys raise BadRecipeError."""
        data = _parse(text_or_dict) if isinstance(text_or_dict, str) else text_or_dict
        if not isinstance(data, Mapping):
            keys = ", ".join(_KEYS)
            raise BadRecipeError(f"A recipe must be a JSON object with the keys {keys}, not {_repr.repr(data)}.")
        for key in data:
            if key not in _KEYS:
                raise BadRecipeError(f"Unknown key {_repr.repr(key)} in the recipe; the keys are: {', '.join(_KEYS)}.")
        for key in _REQUIRED_KEYS:
            if key not in data:
                raise BadRecipeError(f"The recipe lacks {key!r}; it must have: {', '.join(_REQUIRED_KEYS)}.")
        version = data["format"]
        if type(version) is not int or version != FORMAT:  # the type is checked too, because True == 1
            raise BadRecipeError(f"Recipe format {_repr.repr(version)} is not supported; the format must be {FORMAT}.")
        return cls(data["checkpoint"], data["coefficients"], data.get("rule", "linear"), data.get("pretrained_sha256"))

    def to_query(self) -> str:
        """Short URL form without '?', e.g. `ckpt=tiny-clap&urban=-0.5`; `rule` and `pt` (hash) only where needed."""
        pairs = [("ckpt", self.checkpoint), *((name, f"{value:g}") for name, value in self.coefficients.items())]
        if self.rule != "linear":
            pairs.append(("rule", self.rule))
        if self.pretrained_sha256 is not None:
            pairs.append(("pt", self.pretrained_sha256))
        return urlencode(pairs)

    @classmethod
    def from_query(cls, query: str) -> Recipe:
        """Reads what `to_query` writes (a leading '?' is allowed), as strictly as `from_json`."""
        query = query.removeprefix("?")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_QUERY_FIELDS)
        except ValueError as error:
            raise BadRecipeError(
                f"{_repr.repr(query)} is not a recipe link; one looks like 'ckpt=tiny-clap&urban=-0.5'."
            ) from error
        fields = _without_repeats(pairs)
        if "ckpt" not in fields:
            raise BadRecipeError(f"The recipe link {_repr.repr(query)} lacks the checkpoint, as in 'ckpt=tiny-clap'.")
        checkpoint, rule, sha256 = fields.pop("ckpt"), fields.pop("rule", "linear"), fields.pop("pt", None)
        # Text that does not look like a number stays text: the constructor refuses it with a sentence of its own.
        coefficients = {name: float(text) if _DECIMAL.fullmatch(text) else text for name, text in fields.items()}
        return cls(checkpoint, coefficients, rule, sha256)

    def check_vectors(self, known: Iterable[str]) -> None:
        """Raises BadRecipeError when a coefficient names a vector that is not in `known`."""
        names = sorted(known)
        for name in self.coefficients:
            if name not in names:
                valid = ", ".join(names) or "none"
                raise BadRecipeError(f"{self.checkpoint!r} has no task vector {name!r}; its vectors are: {valid}.")

    def formula(self, order: Sequence[str] | None = None) -> str:
        """The edit as one line, e.g. 'θ_new = θ_pt + 0.80 τ_urban − 0.50 τ_emotion'.

        Terms are in the `order` of vector names that is given; terms of other vectors follow, sorted by name. λ is
        shown with two decimals, or with up to four if two would not be the value that is applied.
        """
        rank = {name: position for position, name in enumerate(order or ())}
        names = sorted(self.coefficients, key=lambda name: (rank.get(name, len(rank)), name))
        terms = (f" {_sign(self.coefficients[name])} {_decimals(self.coefficients[name])} τ_{name}" for name in names)
        return "θ_new = θ_pt" + "".join(terms)


@dataclass(frozen=True)
class Row:
    """One vector's controls in the UI. `scaling_coef` is λ with its sign, |λ| <= SLIDER_MAX."""

    on: bool
    scaling_coef: float

    def __post_init__(self) -> None:
        _number(self.scaling_coef, "The scaling coefficient of a row", -SLIDER_MAX, SLIDER_MAX)


@dataclass(frozen=True)
class Analogy:
    """ "A is to B as C is to D": τ_D = τ_B + τ_C − τ_A (Ilharco et al. 2022, arXiv:2212.04089).

    `scaling_coef` is the one λ of all three, 0 <= λ <= SLIDER_MAX. Raises BadRecipeError unless a, b and c are three
    different vectors.
    """

    a: str
    b: str
    c: str
    scaling_coef: float

    def __post_init__(self) -> None:
        if len({self.a, self.b, self.c}) < 3:
            raise BadRecipeError(
                f"An analogy needs three different task vectors, not A = {self.a!r}, B = {self.b!r}, C = {self.c!r}."
            )
        _number(self.scaling_coef, "The scaling coefficient of an analogy", 0, SLIDER_MAX)

    @property
    def signs(self) -> dict[str, int]:
        """How each vector's λ goes with that of the analogy."""
        return {self.a: -1, self.b: 1, self.c: 1}


def is_coefficient(name: str, text: str) -> bool:
    """Whether a pair of a link looks like a vector and its λ."""
    return bool(_NAME.fullmatch(name) and _DECIMAL.fullmatch(text))


def slider_range(addition: bool, negation: bool) -> tuple[float, float]:
    """The least and the largest λ that a row's slider offers under the operations that are on."""
    return (-SLIDER_MAX if negation else 0.0, SLIDER_MAX if addition else 0.0)


def compose(
    checkpoint: str, rows: Mapping[str, Row], *, addition: bool, negation: bool, analogy: Analogy | None = None
) -> Recipe:
    """The recipe that the controls of the page mean.

    `rows` maps vector name -> its controls; a row counts only if it is on. Addition opens the λ above 0, negation those
    below (`slider_range`); a λ outside what is open counts as 0. The analogy, when given, adds λ to b and c and −λ to
    a, on top of the rows.
    """
    low, high = slider_range(addition, negation)
    total = {name: min(max(row.scaling_coef, low), high) for name, row in rows.items() if row.on}
    if analogy is not None:
        for name, sign in analogy.signs.items():
            total[name] = total.get(name, 0.0) + sign * analogy.scaling_coef
    return Recipe(checkpoint, total)


def _number(value: object, what: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):  # True is a Real
        raise BadRecipeError(f"{what} must be a number from {low:g} to {high:g}, not {_repr.repr(value)}.")
    try:
        number = float(value)
    except OverflowError:  # an integer that is too large for float64
        number = math.inf
    if not low <= number <= high:  # false for NaN too
        raise BadRecipeError(f"{what} is {_repr.repr(value)}; it must be from {low:g} to {high:g}.")
    return number


def _parse(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:  # nested too deep: RecursionError
        raise BadRecipeError(f"The recipe {_repr.repr(text)} is not valid JSON ({error}).") from error


def _without_repeats(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise BadRecipeError(f"{_repr.repr(key)} occurs more than once in the recipe; each key may occur once.")
        found[key] = value
    return found


def _sign(value: float) -> str:
    return _MINUS if value < 0 else "+"


def _decimals(value: float) -> str:
    short = f"{abs(value):.2f}"
    return short if float(short) == abs(value) else f"{abs(value):.{_DECIMALS}f}".rstrip("0")


def recipe_checkpoint(name: str) -> str:
    """A checkpoint's name as recipes have it: "name" or "owner/name", of letters, digits, "_", "-" and "."."""
    parts = [re.sub(r"[^A-Za-z0-9_.-]+", "_", part).strip("_.-")[:64] for part in name.split("/")]
    return "/".join(filter(None, parts)) or "checkpoint"
