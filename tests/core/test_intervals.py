"""Intervals and tests, checked against values worked out by hand, against scipy, and by simulated coverage."""

import numpy as np
import pytest
from scipy.stats import binomtest

from taskvec_demo.core.intervals import mcnemar, wilson


def test_wilson_by_hand():
    # 8 of 10, z² = 3.841459: centre = (8 + 1.920729) / 13.841459 = 0.716740,
    # half = 1.959964 · sqrt(8·2/10 + 3.841459/4) / 13.841459 = 0.226577
    low, high = wilson(8, 10)
    assert low == pytest.approx(0.490162, abs=2e-6)
    assert high == pytest.approx(0.943317, abs=2e-6)


@pytest.mark.parametrize("n", [1, 2, 10, 250, 10_000])
def test_wilson_equals_scipy(n):
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert wilson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_wilson_at_the_ends():
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson([0, 7], [7, 7])
    assert (low[0], high[1]) == (0.0, 1.0)  # exactly
    assert 0 < high[0] < 1  # but no collapse to a point
    assert 0 < low[1] < 1


def test_wilson_is_vectorised_and_narrows():
    successes = np.array([[1, 2], [3, 4]])
    low, high = wilson(successes, 10)
    assert low.shape == high.shape == (2, 2)
    for index in np.ndindex(2, 2):
        assert (low[index], high[index]) == pytest.approx(wilson(successes[index], 10))
    low, high = wilson([5, 50, 500], [10, 100, 1000])
    assert np.all(np.diff(high - low) < 0)
    wide = wilson(5, 10, z=3.0)
    assert wide[0] < low[0] < high[0] < wide[1]


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (1, 0), (float("nan"), 3)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


def test_wilson_covers_where_the_textbook_interval_does_not():
    rng = np.random.default_rng(0)
    n, p = 30, np.array([0.05, 0.3, 0.5, 0.95])
    k = rng.binomial(n, p, size=(20_000, 4))
    low, high = wilson(k, n)
    covered = ((low <= p) & (p <= high)).mean(axis=0)
    assert np.all(covered > 0.92)
    assert np.all(covered < 0.985)  # an interval of 0…1 would cover always
    share = k / n
    margin = 1.959964 * np.sqrt(share * (1 - share) / n)
    textbook = (np.abs(share - p) <= margin).mean(axis=0)
    assert textbook[0] < 0.85  # negative control: the simulation can tell


def paired(only_a, only_b, both, neither):
    a = [True] * only_a + [False] * only_b + [True] * both + [False] * neither
    b = [False] * only_a + [True] * only_b + [True] * both + [False] * neither
    return np.array(a), np.array(b)


def test_mcnemar_by_hand():
    # 5 discordant clips, all for one model: p = 2 · (1/2)^5 = 1/16
    assert mcnemar(*paired(5, 0, 20, 3)) == pytest.approx(1 / 16)
    # 6 against 1 of 7: p = 2 · (C(7,0) + C(7,1)) / 2^7 = 16/128
    assert mcnemar(*paired(6, 1, 4, 4)) == pytest.approx(16 / 128)
    assert mcnemar(*paired(0, 0, 9, 4)) == 1.0
    assert mcnemar(*paired(3, 3, 1, 1)) == pytest.approx(1.0)


def test_mcnemar_is_symmetric_and_ignores_agreement():
    assert mcnemar(*paired(9, 2, 5, 5)) == pytest.approx(mcnemar(*paired(2, 9, 100, 0)))
    assert mcnemar(*paired(9, 2, 5, 5)) != pytest.approx(mcnemar(*paired(8, 3, 5, 5)))


def test_pairs_must_match():
    with pytest.raises(ValueError, match="shapes"):
        mcnemar([True, False], [True])
