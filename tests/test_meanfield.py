"""Mean-field solutions: their known digits, their derivatives, and small systems that approach them."""

import time

import numpy as np
import pytest
from scipy.optimize import linprog, nnls

from ebmlab.meanfield import gardner, hopfield, sk
from ebmlab.meanfield._normal import nodes

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("width", [10.0, 0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("centre", [0.0, -1.3, 7.0])
def test_normal_averages_of_steps_are_exact(width, centre):
    """E tanh^2 over a step of any width against a fine uniform sum; moments and tails against their values."""
    z, w = nodes(centre, width)
    assert w.sum() == pytest.approx(1, abs=1e-14)
    assert w @ z**4 == pytest.approx(3, abs=1e-12)
    fine = np.linspace(-9, 9, 400_001) if width > 1e-3 else None
    if fine is not None:
        weight = np.exp(-fine * fine / 2) * (18 / 400_000) / np.sqrt(2 * np.pi)
        assert w @ np.tanh((z - centre) / width) ** 2 == pytest.approx(
            weight @ np.tanh((fine - centre) / width) ** 2, abs=1e-13
        )
    else:  # E sech^2((z - c) / a) = 2 a phi(c) to order a^3
        density = np.exp(-centre * centre / 2) / np.sqrt(2 * np.pi)
        assert w @ np.cosh(np.clip((z - centre) / width, -300, 300)) ** -2.0 == pytest.approx(
            2 * width * density, rel=1e-8
        )


def test_sk_digits():
    assert sk.energy(0.0) == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-15)
    assert sk.entropy(0.0) == pytest.approx(-1 / (2 * np.pi), abs=1e-15)
    assert sk.energy(1e-6) == pytest.approx(-0.79788456, abs=1e-6)
    assert sk.entropy(1e-4) == pytest.approx(-1 / (2 * np.pi), abs=1e-4)
    assert sk.at_line(0.9) == pytest.approx(0.03877, abs=5e-6)
    assert sk.at_line(0.5) == pytest.approx(0.56993, abs=5e-6)
    assert float(sk.at_line(0.999)) ** 2 == pytest.approx(4 / 3 * 0.001**3, rel=0.01)
    assert sk.at_line([1.0, 1.5]).tolist() == [0, 0]
    assert sk.at_line(0.0) == np.inf


def test_sk_above_freezing():
    T = np.array([1.0, 1.2, 3.0])
    np.testing.assert_array_equal(sk.order_parameter(T), 0)
    np.testing.assert_allclose(sk.free_energy(T), -T * np.log(2) - 1 / (4 * T), rtol=1e-13)
    np.testing.assert_allclose(sk.energy(T), -1 / (2 * T), rtol=1e-13)
    np.testing.assert_allclose(sk.at_stability(T), 1 - 1 / T**2, atol=1e-13)


@pytest.mark.parametrize("h", [0.0, 0.4, -1.5])
@pytest.mark.parametrize("T", [0.05, 0.3, 0.8, 1.4])
def test_sk_is_consistent(T, h):
    """f is stationary in q, s = -df/dT, m = -df/dh, and q solves its equation on a plain grid."""
    q = float(sk.order_parameter(T, h))
    z = np.linspace(-10, 10, 100_001)
    weight = np.exp(-z * z / 2) * (z[1] - z[0]) / np.sqrt(2 * np.pi)

    def free(q):
        x = (np.sqrt(q) * z + h) / T
        log_cosh = np.abs(x) + np.log1p(np.exp(-2 * np.abs(x)))
        return -T * weight @ log_cosh - (1 - q) ** 2 / (4 * T)

    assert free(q) == pytest.approx(float(sk.free_energy(T, h)), abs=1e-11)
    if q:
        assert weight @ np.tanh((np.sqrt(q) * z + h) / T) ** 2 == pytest.approx(q, abs=1e-11)
    d = 1e-4
    slope = (sk.free_energy(T + d, h) - sk.free_energy(T - d, h)) / (2 * d)
    assert -slope == pytest.approx(float(sk.entropy(T, h)), abs=1e-5)
    assert sk.free_energy(T, h) == pytest.approx(float(sk.energy(T, h) - T * sk.entropy(T, h)), abs=1e-12)


def test_sk_shapes_and_limits():
    assert sk.order_parameter(0.5).shape == ()
    assert sk.energy(np.ones((2, 1)), np.zeros(3)).shape == (2, 3)
    assert sk.order_parameter(0.999) == pytest.approx(0.001, rel=0.01)
    assert sk.order_parameter(0.5, -0.3) == sk.order_parameter(0.5, 0.3)
    line = sk.at_line([0.2, 0.7])
    np.testing.assert_allclose(sk.at_stability([0.2, 0.7], line), 0, atol=1e-10)
    assert (sk.at_stability([0.2, 0.7], line * 0.9) < 0).all()
    assert sk.finite_size_energy(10) == pytest.approx(-0.6123, abs=1e-4)


def test_hopfield_digits():
    assert hopfield.capacity() == pytest.approx(0.137906, abs=5e-7)
    assert hopfield.solve(0.1379055, 0.0).m == pytest.approx(0.9674, abs=1e-3)
    assert hopfield.solve(hopfield.capacity() * (1 - 1e-9), 0.0).m == pytest.approx(0.9674, abs=5e-5)
    assert hopfield.ground_state_line() == pytest.approx(0.0519, abs=5e-5)
    assert hopfield.glass_temperature([0.0, 0.25]).tolist() == [1.0, 1.5]
    glass = hopfield.free_energy([0.05, 0.2], 0.0, start=0.0)
    np.testing.assert_allclose(glass, -1 / np.pi - np.sqrt(2 * np.array([0.05, 0.2]) / np.pi), rtol=1e-13)
    assert hopfield.spinodal(0.001) == pytest.approx(1 - 1.95 * np.sqrt(0.001), abs=2e-3)


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize(
    ("alpha", "T"), [(0.1, 0.05), (0.03, 0.4), (0.01, 0.7), (0.3, 1.2), (0.001, 0.9), (0.13, 0.01)]
)
def test_hopfield_solutions_solve_the_three_equations(alpha, T, start):
    m, q, r = map(float, hopfield.solve(alpha, T, start))
    z = np.linspace(-10, 10, 8001)  # fine enough for steps of T / sqrt(alpha r) = 0.02
    weight = np.exp(-z * z / 2) * (z[1] - z[0]) / np.sqrt(2 * np.pi)

    def state(m, q, r):
        tanh = np.tanh((m + np.sqrt(alpha * r) * z) / T)
        q2 = weight @ tanh**2
        return weight @ tanh, q2, q2 / (1 - (1 - q) / T) ** 2

    np.testing.assert_allclose(state(m, q, r), (m, q, r), rtol=1e-7, atol=1e-9)
    assert (m > 0.3) == (start == 1 and T < 1)
    if m > 0:  # stable: plain iteration comes back to it
        found = (m * 0.999, q, r)
        for _ in range(400):
            found = state(*found)
        assert found[0] == pytest.approx(m, abs=1e-3 if alpha > 0.12 else 1e-5)


@pytest.mark.parametrize("start", [0.0, 1.0])
@pytest.mark.parametrize(("alpha", "T"), [(0.1, 0.05), (0.03, 0.4), (0.01, 0.7)])
def test_hopfield_free_energy_has_the_slopes_it_must(alpha, T, start):
    """df/dalpha at fixed order parameters, by the envelope theorem, and continuity at T = 0."""
    _, q, r = map(float, hopfield.solve(alpha, T, start))
    d, C = 1e-4 * alpha, (1 - q) / T
    slope = (hopfield.free_energy(alpha + d, T, start) - hopfield.free_energy(alpha - d, T, start)) / (2 * d)
    # the explicit alpha in f, and in E log 2 cosh, whose derivative in alpha is (r / 2T) E sech^2 X = r C / 2
    wanted = 0.5 * (1 + r * C + T * np.log1p(-C) - q / (1 - C)) - r * C / 2
    assert slope == pytest.approx(wanted, rel=1e-4, abs=1e-7)
    assert hopfield.free_energy(alpha, 1e-5, start) == pytest.approx(
        float(hopfield.free_energy(alpha, 0.0, start)), abs=1e-4
    )


def test_hopfield_paramagnet():
    T, alpha = 3.0, 0.2
    wanted = -T * np.log(2) + alpha / 2 * (1 + T * np.log(1 - 1 / T))
    assert hopfield.free_energy(alpha, T) == pytest.approx(wanted, rel=1e-13)
    assert hopfield.solve(alpha, T) == (0, 0, 0)
    assert hopfield.solve(0.0, 0.5).m == pytest.approx(0.957504, abs=1e-6)  # the ferromagnet m = tanh 2m


def test_hopfield_phase_diagram_is_consistent():
    alpha = np.array([0.01, 0.05, 0.1])
    top = hopfield.spinodal(alpha)
    np.testing.assert_allclose(hopfield.capacity(top), alpha, rtol=1e-6)
    assert (hopfield.retrieval(alpha, top * 0.999) > 0.5).all()
    assert (hopfield.retrieval(alpha, top * 1.001) == 0).all()
    assert hopfield.spinodal([0.0, 0.2]).tolist() == [1, 0]
    T = np.array([0.0, 0.2, 0.8])
    line = hopfield.ground_state_line(T)
    assert (line < hopfield.capacity(T)).all()
    gap = hopfield.free_energy(line, T) - hopfield.free_energy(line, T, start=0.0)
    np.testing.assert_allclose(gap, 0, atol=1e-9)
    assert hopfield.ground_state_line(1.0) == 0


def test_starts_divide_at_the_unstable_solution():
    m = [float(hopfield.solve(0.1, 0.05, start).m) for start in np.linspace(0, 1, 11)]
    assert m[0] == 0
    assert m[-1] > 0.99
    assert sorted(m) == m
    assert len(set(m)) == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("T", [1e-300, 1e-11, 2e-10, 1e-7, 1 - 1e-9, 1 - 1e-12, np.nextafter(1, 0)])
def test_temperatures_near_their_ends_are_those_of_the_end(T):
    end = round(T)
    for f in (sk.order_parameter, sk.energy, sk.entropy, sk.free_energy, hopfield.capacity, hopfield.ground_state_line):
        assert f(T) == pytest.approx(float(f(float(end))), abs=2e-7), f.__name__
    for alpha in (0.05, 0.2):
        for start in (0.0, 1.0):
            near, there = (hopfield.free_energy(alpha, t, start) for t in (T, end))
            assert near == pytest.approx(float(there), abs=3e-7)
    if end == 0:
        density = np.exp(-(sk.at_line(T) ** 2) / 2) / np.sqrt(2 * np.pi)
        assert density == pytest.approx(0.75 * T, rel=1e-6)
    else:
        assert sk.at_line(T) == pytest.approx(np.sqrt(4 / 3) * (1 - T) ** 1.5, rel=1e-6)
        assert hopfield.retrieval(0.0, T) == pytest.approx(np.sqrt(3 * (1 - T)), rel=1e-5)


def test_the_line_is_its_series_where_the_series_takes_over():
    d = 1.0001e-4
    assert sk.at_line(1 - d) == pytest.approx(np.sqrt(4 / 3) * d**1.5 * (1 + d / 2), rel=1e-8)
    density = np.exp(-(sk.at_line(1.001e-6) ** 2) / 2) / np.sqrt(2 * np.pi)
    assert density == pytest.approx(0.75 * 1.001e-6, rel=1e-8)


def test_hardly_any_patterns_are_none():
    T = [0.0, 0.3, 0.9]
    for tiny in (1e-300, 1e-17):
        for f in (hopfield.retrieval, hopfield.free_energy):
            np.testing.assert_array_equal(f(tiny, T), f(0.0, T))
        np.testing.assert_allclose(hopfield.retrieval(2e-16, T), hopfield.retrieval(0.0, T), atol=1e-6)
    assert hopfield.spinodal(1e-300) == 1.0


def test_a_phase_diagram_takes_seconds():
    begin = time.process_time()
    T = np.linspace(0, 1, 60)
    hopfield.capacity(T), hopfield.ground_state_line(T), hopfield.spinodal(np.linspace(0, 0.14, 15))
    sk.at_line(T), hopfield.retrieval(np.linspace(0.001, 0.15, 60), 0.1)
    assert time.process_time() - begin < 10


def test_gardner_digits_and_inverse():
    assert gardner.capacity() == 2.0
    from scipy.integrate import quad

    for kappa in (0.3, 1.0, 2.5):
        inner = quad(lambda t, k=kappa: (t + k) ** 2 * np.exp(-t * t / 2) / np.sqrt(2 * np.pi), -kappa, 12)[0]
        assert gardner.capacity(kappa) == pytest.approx(1 / inner, rel=1e-10)
    kappa = np.array([0.0, 0.5, 3.0])
    np.testing.assert_allclose(gardner.margin(gardner.capacity(kappa)), kappa, atol=1e-12)


def test_cover_counts():
    assert gardner.dichotomies(3, 2) == 6  # three lines through 0 cut the plane in 6
    assert gardner.dichotomies(4, 3) == 14  # all but the two of the 16 that no plane gives
    assert gardner.dichotomies(5, 9) == 32
    assert [gardner.stored_share(2 * n, n) for n in (1, 7, 200)] == [0.5] * 3


@pytest.mark.parametrize(("count", "n"), [(8, 4), (10, 4), (18, 10)])
def test_a_linear_program_finds_covers_share(count, n):
    rng, trials = np.random.default_rng(count), 400
    points = rng.normal(size=(trials, count, n)) * rng.choice((-1, 1), (trials, count, 1))
    stored = sum(linprog(np.zeros(n), A_ub=-x, b_ub=-np.ones(count), bounds=(None, None)).status == 0 for x in points)
    p = gardner.stored_share(count, n)
    assert abs(stored / trials - p) < 4 * np.sqrt(p * (1 - p) / trials)


def best_margin(x):
    """max over |w| = 1 of min_mu w . x_mu: the distance of 0 from the hull of the points, by least squares."""
    weights, rest = nnls(np.vstack([x.T, np.ones(len(x))]), np.append(np.zeros(x.shape[1]), 1.0))
    return np.sqrt(max(rest**2 - (1 - weights.sum()) ** 2, 0)) / weights.sum()


def test_the_best_margin_of_small_systems_approaches_gardners():
    """At alpha = 1 the mean margin of N inputs falls as kappa + a / N: a straight line through N = 20, 40, 80."""
    sizes, trials = np.array([20, 40, 80]), [300, 160, 80]
    rng = np.random.default_rng(3)
    means, errors = [], []
    for n, count in zip(sizes, trials, strict=True):
        found = [best_margin(rng.choice((-1.0, 1.0), (n, n))) for _ in range(count)]
        means.append(np.mean(found)), errors.append(np.std(found) / np.sqrt(count))
    design = np.stack([np.ones(3), 1 / sizes], 1) / np.array(errors)[:, None]
    cov = np.linalg.inv(design.T @ design)
    at_infinity = (cov @ design.T @ (np.array(means) / errors))[0]
    assert abs(at_infinity - gardner.margin(1.0)) < 4 * np.sqrt(cov[0, 0])
    assert np.sqrt(cov[0, 0]) < 0.02


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: sk.order_parameter(-0.1), ValueError, "T must be finite and not negative"),
        (lambda: sk.energy(np.nan), ValueError, "T must be"),
        (lambda: sk.energy("cold"), TypeError, "T must be a number"),
        (lambda: sk.energy(0.5, np.inf), ValueError, "h must be finite"),
        (lambda: sk.finite_size_energy(0), ValueError, "at least 1"),
        (lambda: hopfield.solve(-0.1, 0.1), ValueError, "alpha"),
        (lambda: hopfield.solve(0.1, 0.1, start=2), ValueError, r"\[0, 1\]"),
        (lambda: hopfield.solve(0.1, 0.1, start=np.array([0.0, 1.0])), ValueError, "start must be one number"),
        (lambda: hopfield.free_energy(0.1, 0.1, start="far"), TypeError, "start must be a number"),
        (lambda: hopfield.capacity(-1), ValueError, "T must be"),
        (lambda: hopfield.glass_temperature(-1), ValueError, "alpha"),
        (lambda: gardner.capacity(-0.5), ValueError, "margin"),
        (lambda: gardner.margin(2.5), ValueError, r"\(0, 2\]"),
        (lambda: gardner.dichotomies(0, 2), ValueError, "at least 1"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
