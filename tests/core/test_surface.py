"""A surface recovers a polynomial, knows its error on unseen points, and keeps measured predictions apart."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import torch

from taskvec_demo.core.surface import GROWTH, RANK, RIDGES, LogitSurface, chebyshev, sparse_exponents
from taskvec_demo.core.weights import read_safetensors, write_safetensors
from taskvec_demo.errors import BadArtifactError

VECTORS = ("left", "right")
N, N_CLASSES = 30, 4


def exponents(n_vectors: int, degree: int) -> np.ndarray:
    """All exponents (terms, n_vectors) of total degree <= `degree`."""
    return np.array([e for e in itertools.product(range(degree + 1), repeat=n_vectors) if sum(e) <= degree])


def cubic(points, seed=0):
    """Logits (p, N, N_CLASSES), a polynomial of total degree 3 of two coefficients, and labels (N,)."""
    rng = np.random.default_rng(seed)
    x, y = np.asarray(points, float).T[:, :, None, None]
    one = np.ones_like(x)
    terms = (one, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3)
    logits = sum(term * rng.normal(size=(N, N_CLASSES)) for term in terms)
    return 3 * logits, rng.integers(0, N_CLASSES, N)


def grid(n=9):
    axis = np.linspace(-1, 1, n)
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def every_fifth(points):
    return np.arange(len(points)) % 5 == 4


def fitted(degree=3, points=None):
    points = grid() if points is None else points
    logits, labels = cubic(points)
    powers = exponents(2, degree)
    return LogitSurface.fit("pets", "validation", VECTORS, points, logits, labels, every_fifth(points), powers)


def unseen():
    return np.random.default_rng(1).uniform(-1, 1, (40, 2))


def misfit(surface, points):
    """Largest error of the centred logits; a constant for each clip does not count."""
    logits, _ = cubic(points)
    return float(np.abs(surface.curve(points) - (logits - logits.mean(-1, keepdims=True))).max())


# ---- the basis ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("n", "degree", "terms"), [(1, 4, 5), (2, 3, 10), (6, 4, 210)])
def test_the_terms_are_those_of_bounded_total_degree(n, degree, terms):
    found = exponents(n, degree)
    assert found.shape == (terms, n)
    assert len({tuple(e) for e in found}) == terms
    assert found.sum(1).max() == degree


def test_sparse_terms_bound_the_degree_by_how_many_vectors_they_join():
    powers = sparse_exponents(8, main=range(5))
    assert len({tuple(e) for e in powers}) == len(powers) == 593  # total degree 5 would have 1,287
    assert (powers[0] == 0).all()
    alone = {(int(np.flatnonzero(e)[0]), int(e.max())) for e in powers if np.count_nonzero(e) == 1}
    assert alone == {(k, d) for k in range(8) for d in range(1, 8 if k < 5 else 6)}
    joined = np.count_nonzero(powers, axis=1)
    only_main = (powers[:, 5:] == 0).all(1)
    for order, main, limit in ((2, True, 6), (2, False, 4), (3, True, 5), (3, False, 4)):
        assert powers[(joined == order) & (only_main == main)].sum(1).max() == limit
    assert joined.max() == 3
    everything = sparse_exponents(3, range(3), (4, 4, 4), (0, 0, 0))
    assert {tuple(e) for e in everything} == {tuple(e) for e in exponents(3, 4)}


def test_the_basis_is_the_product_of_chebyshev_polynomials():
    points, powers = unseen(), exponents(2, 4)
    along = [np.polynomial.chebyshev.chebvander(points[:, k], 4) for k in (0, 1)]
    expected = np.stack([along[0][:, i] * along[1][:, j] for i, j in powers], -1)
    assert np.allclose(chebyshev(points, powers), expected)


# ---- fitting --------------------------------------------------------------------------------------------------------
def test_an_exact_polynomial_is_recovered_where_it_was_not_measured():
    surface, points = fitted(), unseen()
    logits, _ = cubic(points)
    assert misfit(surface, points) < 0.3  # of logits up to 30: coefficients in steps of a 127th, and the ridge
    agree = surface.curve(points).argmax(-1) == logits.argmax(-1)
    assert agree.mean() > 0.99
    assert surface.error < 0.01


def test_a_degree_too_low_is_seen_in_the_error():
    """Negative control: a plane does not fit a cubic, and the surface's own error shows it."""
    plane = fitted(degree=1)
    assert misfit(plane, unseen()) > 1
    assert plane.error > 5 * max(fitted().error, 0.005)


def test_the_error_is_that_of_a_trial_fit_whose_ridge_never_saw_the_held_out_points():
    points, degree = grid(), 2
    logits, labels = cubic(points)
    logits, held_out = logits.astype(np.float32), every_fifth(points)
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1) if i + j <= degree]
    along = [np.polynomial.chebyshev.chebvander(points[:, k], degree) for k in (0, 1)]
    basis = np.stack([along[0][:, i] * along[1][:, j] for i, j in powers], -1)
    target = (logits - logits.mean(-1, keepdims=True)).reshape(len(points), -1)
    penalty = np.diag([(GROWTH ** (i + j) if i + j else 0) ** 0.5 for i, j in powers])

    def correct(used, ridge, at):
        """Ridge regression as least squares with extra rows. The terms are fewer than the directions that are kept."""
        extended = np.concatenate([basis[used], np.sqrt(ridge * len(used)) * penalty])
        padded = np.concatenate([target[used], np.zeros((len(powers), target.shape[1]))])
        solution = np.linalg.lstsq(extended, padded, rcond=None)[0]
        return (basis[at] @ solution).reshape(-1, N, N_CLASSES).argmax(-1) == labels

    kept, out = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    truth = logits.argmax(-1) == labels
    ridge = chosen_ridge(basis[kept], np.sum(powers, 1), target[kept], logits[kept].argmax(-1))
    trial = correct(kept, ridge, out)
    surface = fitted(degree=degree)
    assert surface.error == pytest.approx(np.abs(trial.mean(1) - truth[out].mean(1)).mean(), abs=1e-9)
    recalls = [np.stack([c[:, labels == k].mean(1) for k in range(N_CLASSES)]) for c in (trial, truth[out])]
    assert surface.class_error == pytest.approx(np.abs(recalls[0] - recalls[1]).mean(), abs=1e-9)
    assert surface.class_error > surface.error  # errors of classes cancel in the overall accuracy
    assert surface.n_held_out == held_out.sum() == 16
    in_sample = np.abs((surface.curve(points).argmax(-1) == labels).mean(1) - truth.mean(1))
    assert surface.error != pytest.approx(in_sample.mean(), abs=1e-4)  # the easier number is not the one reported


def chosen_ridge(basis, degrees, target, measured):
    """The ridge that a loop over left-out points prefers. The module computes it by a closed form."""

    def changed(ridge):
        total = 0
        for i in range(len(basis)):
            used = np.arange(len(basis)) != i
            a = basis[used]
            penalty = ridge * len(basis) * np.where(degrees > 0, GROWTH**degrees, 0)
            solution = np.linalg.solve(a.T @ a + np.diag(penalty), a.T @ target[used])
            total += ((basis[i] @ solution).reshape(N, N_CLASSES).argmax(-1) != measured[i]).sum()
        return total

    return min(RIDGES, key=changed)


def test_the_penalty_keeps_noise_out_of_high_degrees():
    """With more terms than points and with noise, a fit without penalty would pass through every point."""
    points = np.random.default_rng(5).uniform(-1, 1, (60, 2))
    logits, labels = cubic(points)
    noisy = logits + np.random.default_rng(6).normal(0, 1, logits.shape)
    powers = exponents(2, 11)
    assert len(powers) > len(points)
    surface = LogitSurface.fit("pets", "validation", VECTORS, points, noisy, labels, every_fifth(points), powers)
    assert surface.error < 0.06
    high = powers.sum(1) > 6
    assert surface.steps[high].max() < 0.1 * surface.steps[~high].max()


def test_a_constant_a_clip_changes_no_answer():
    points = grid()
    logits, labels = cubic(points)
    lifted = logits + np.random.default_rng(2).normal(0, 20, (len(points), N, 1))
    surface = LogitSurface.fit(
        "pets", "validation", VECTORS, points, lifted, labels, every_fifth(points), exponents(2, 3)
    )
    assert np.allclose(surface.curve(unseen()), fitted().curve(unseen()), atol=0.2)


# ---- what was measured ----------------------------------------------------------------------------------------------
def test_measured_predictions_are_returned_at_measured_points_only():
    surface, points = fitted(degree=1), grid()
    logits, _ = cubic(points)
    for i in (0, 40, 53):
        coefficients = dict(zip(VECTORS, points[i], strict=True))
        assert np.array_equal(surface.measured(coefficients), logits[i].argmax(-1))
    middle = int(np.flatnonzero((points == 0).all(1))[0])
    assert np.array_equal(surface.measured({}), logits[middle].argmax(-1))
    assert np.array_equal(surface.measured({"left": 0.25}), surface.measured({"left": 0.25, "right": 0.0}))
    assert surface.measured({"left": 0.26}) is None
    assert surface.measured({"left": 0.2501}) is None
    assert surface.measured({"up": 0.25}) is None
    # and they are measured, not the plane's
    assert not np.array_equal(surface.measured({"left": 1.0}), surface.logits({"left": 1.0}).argmax(-1))


def test_contains_the_measured_box_and_no_other_vector():
    surface = fitted()
    for inside in ({}, {"left": 1.0}, {"left": -1.0, "right": 0.33}):
        assert surface.contains(inside)
    for outside in ({"left": 1.01}, {"left": 0.5, "right": -1.2}, {"up": 0.1}):
        assert not surface.contains(outside)


def test_logits_are_one_point_of_a_curve():
    surface = fitted()
    points = np.array([[0.3, 0.0], [0.0, 0.3], [0.3, -0.7]])
    curve = surface.curve(points)
    assert curve.shape == (3, N, N_CLASSES)
    assert np.allclose(surface.logits({"left": 0.3}), curve[0], atol=1e-5)
    assert np.allclose(surface.logits({"right": 0.3}), curve[1], atol=1e-5)
    assert np.allclose(surface.logits({"right": -0.7, "left": 0.3}), curve[2], atol=1e-5)
    assert not np.allclose(curve[0], curve[1], atol=0.1)


# ---- files ----------------------------------------------------------------------------------------------------------
def test_a_saved_surface_gives_the_same_answers(tmp_path):
    surface = fitted()
    surface.save(tmp_path / "pets.safetensors")
    loaded = LogitSurface.load(tmp_path / "pets.safetensors")
    assert np.array_equal(loaded.curve(unseen()), surface.curve(unseen()))  # bit for bit: it is rounded already
    for field in ("labels", "points", "predictions", "mixing", "steps", "directions", "powers"):
        assert np.array_equal(getattr(loaded, field), getattr(surface, field))
    for field in ("task", "split", "vectors", "error", "class_error", "n_held_out"):
        assert getattr(loaded, field) == getattr(surface, field)
    assert np.array_equal(loaded.measured({"left": 0.25}), surface.measured({"left": 0.25}))


def test_a_surface_over_eight_vectors_is_small_and_fast(tmp_path):
    powers, n_points, n, n_classes = sparse_exponents(8, range(5)), 793, 160, 16
    rng = np.random.default_rng(0)
    surface = LogitSurface(
        "pets",
        "validation",
        tuple("abcdefgh"),
        powers.astype(np.uint8),
        rng.integers(-32767, 32768, (len(powers), RANK)).astype(np.int16),
        rng.uniform(0, 1, len(powers)).astype(np.float32),
        rng.integers(-127, 128, (RANK, n, n_classes)).astype(np.int8),
        rng.integers(0, n_classes, n),
        rng.uniform(-1, 1, (n_points, 8)),
        rng.integers(0, n_classes, (n_points, n)).astype(np.uint8),
        0.0,
        80,
        0.0,
    )
    surface.save(tmp_path / "pets.safetensors")
    assert (tmp_path / "pets.safetensors").stat().st_size < 6e5
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        surface.logits({"a": 0.5, "b": -0.3, "h": 1.0})
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.005


def test_few_directions_hold_what_varies_and_lose_what_hardly_does():
    """Logits of thousands of values that vary in three directions, with a little noise in all of them."""
    rng = np.random.default_rng(8)
    points, labels = grid(), rng.integers(0, N_CLASSES, N)
    x, y = points.T
    shapes = np.stack([x, y, x * y])  # (3, p)
    along = rng.normal(size=(3, N, N_CLASSES))
    start = 2 * rng.normal(size=(N, N_CLASSES))
    logits = start + np.einsum("dp,dnc->pnc", 3 * shapes, along) + rng.normal(0, 0.01, (len(points), N, N_CLASSES))
    surface = LogitSurface.fit(
        "pets", "validation", VECTORS, points, logits, labels, every_fifth(points), exponents(2, 3)
    )
    assert len(surface.directions) <= len(exponents(2, 3)) < RANK
    held = np.abs(surface.mixing * surface.steps[:, None]).max(0) * np.abs(surface.directions).max((1, 2))
    assert held[4:].max() < 0.05 * held[:4].min()  # the start and three ways to vary
    assert (surface.curve(points).argmax(-1) == logits.argmax(-1)).mean() > 0.99


def test_surfaces_of_the_older_format_give_the_answers_they_gave(tmp_path):
    rng, powers, path = np.random.default_rng(3), exponents(2, 3), tmp_path / "pets.safetensors"
    fitted().save(path)
    tensors, metadata = read_safetensors(path)
    coefficients = rng.integers(-127, 128, (len(powers), N, N_CLASSES)).astype(np.int8)
    kept = {name: t for name, t in tensors.items() if name not in ("mixing", "directions")}
    write_safetensors(path, kept | {"coefficients": torch.from_numpy(coefficients)}, metadata | {"format": "3"})
    loaded, points = LogitSurface.load(path), unseen()
    terms = chebyshev(points, powers) * tensors["steps"].numpy()
    assert np.allclose(loaded.curve(points), np.einsum("pt,tnc->pnc", terms, coefficients), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("version", ["2", "", None])
def test_another_format_is_refused(tmp_path, version):
    path = tmp_path / "pets.safetensors"
    fitted().save(path)
    tensors, metadata = read_safetensors(path)
    metadata = {k: v for k, v in metadata.items() if k != "format"} | ({"format": version} if version else {})
    write_safetensors(path, tensors, metadata)
    with pytest.raises(BadArtifactError, match=r"pets\.safetensors.*surface format.*reads '4' and '3'\.$"):
        LogitSurface.load(path)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "pets.safetensors"
    fitted().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadArtifactError, match=r"pets\.safetensors"):
        LogitSurface.load(path)
    with pytest.raises(BadArtifactError, match=r"nothing\.safetensors"):
        LogitSurface.load(tmp_path / "nothing.safetensors")
