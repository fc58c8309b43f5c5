"""Diagnostics against series and probabilities whose answers are known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal, stats

from ebmlab import diagnostics as dg
from ebmlab.units import Binary, Categorical, Gaussian, Spin

pytestmark = pytest.mark.quick


def autoregressive(a, chains, steps, seed=0):
    """x_t = a x_(t-1) + noise of variance 1 - a^2: rho(t) = a^t, tau = (1 + a) / (1 - a), variance 1."""
    z = np.random.default_rng(seed).standard_normal((chains, steps))
    z[:, 1:] *= np.sqrt(1 - a * a)
    return signal.lfilter([1], [1, -a], z, axis=1)


def test_autocorrelation_is_the_direct_sum():
    x = autoregressive(0.7, 3, 50)
    c = x - x.mean()
    direct = np.array([(c[:, : 50 - t] * c[:, t:]).mean() for t in range(50)])
    np.testing.assert_allclose(dg.autocorrelation(x), direct / direct[0], atol=1e-12)
    np.testing.assert_allclose(dg.autocorrelation(jnp.asarray(x)), direct / direct[0], atol=1e-5)


@pytest.mark.parametrize("a", [-0.9, -0.5, 0.0, 0.5, 0.9, 0.98])
def test_autocorrelation_time_of_a_known_series(a):
    time = dg.autocorrelation_time(autoregressive(a, 8, 40_000))
    assert time.reliable
    assert abs(time.value - (1 + a) / (1 - a)) < 4 * time.error
    assert dg.ess(autoregressive(a, 8, 40_000)) == pytest.approx(8 * 40_000 / time.value)


def test_the_error_of_the_time_is_the_scatter_between_runs():
    times = [dg.autocorrelation_time(autoregressive(0.8, 4, 4000, seed)) for seed in range(150)]
    scatter = np.std([t.value for t in times])
    assert 0.8 < np.mean([t.error for t in times]) / scatter < 1.25


def test_short_chains_are_called_unreliable():
    assert not dg.autocorrelation_time(autoregressive(0.98, 4, 500)).reliable


@pytest.mark.parametrize("a", [0.0, 0.8])
def test_error_bars_cover_the_truth_as_often_as_they_should(a):
    """Within one standard error in 68 % of 400 runs (standard error of the share 2.3 %)."""
    bars = [dg.error_bar(autoregressive(a, 4, 2000, seed)) for seed in range(400)]
    blocked = [dg.blocked_error(autoregressive(a, 4, 2000, seed)) for seed in range(400)]
    for estimates in (bars, blocked):
        assert abs(np.mean([abs(e.mean) < e.error for e in estimates]) - 0.683) < 0.08


def test_blocking_finds_the_plateau_and_returns_the_curve():
    x = autoregressive(0.9, 8, 2**15)
    found = dg.blocked_error(x)
    exact = np.sqrt(19 / x.size)
    assert found.reliable
    assert abs(found.error - exact) < 4 * found.uncertainty + 0.05 * exact
    assert found.errors[0] == pytest.approx(x.std() / np.sqrt(x.size - 1))
    assert found.sizes.tolist() == [2**k for k in range(len(found.sizes))]
    assert not dg.blocked_error(np.cumsum(np.ones(64))).reliable


def test_rhat_sees_means_widths_and_drift():
    x = autoregressive(0.3, 4, 2000)
    assert dg.rhat(x) < 1.005
    assert dg.rhat(x, rank=False) < 1.005
    apart, wide, drift = x.copy(), x.copy(), x + np.linspace(0, 2, 2000)
    apart[0] += 1
    wide[0] *= 4
    assert dg.rhat(apart) > 1.05
    assert dg.rhat(wide) > 1.05 > dg.rhat(wide, rank=False)
    assert dg.rhat(drift) > 1.05
    assert dg.rhat(drift[0]) > 1.05


def test_plain_rhat_is_the_textbook_formula():
    x = autoregressive(0.3, 2, 6)
    pieces = np.array([x[0, :3], x[1, :3], x[0, 3:], x[1, 3:]])
    within, between = pieces.var(1, ddof=1).mean(), 3 * pieces.mean(1).var(ddof=1)
    assert dg.rhat(x, rank=False) == pytest.approx(np.sqrt((within * 2 / 3 + between / 3) / within))


def test_nothing_moves_gives_nan_and_words():
    still = np.ones((3, 100))
    assert np.isnan(
        [dg.autocorrelation_time(still).value, dg.ess(still), dg.rhat(still), dg.error_bar(still).error]
    ).all()
    assert np.isnan(dg.blocked_error(still).error)
    assert "Nothing moved" in dg.mixing_report(still)


def test_chi_square_is_scipys_and_pools_small_cells():
    p = np.array([0.5, 0.3, 0.2])
    counts = np.array([480, 330, 190])
    expected = stats.chisquare(counts, 1000 * p)
    found = dg.chi_square(counts, p)
    assert found == pytest.approx((expected.statistic, 2, expected.pvalue))
    many = np.r_[0.9, np.full(1000, 1e-4)]
    assert dg.chi_square(np.random.default_rng(0).multinomial(500, many), many).dof < 15
    assert dg.chi_square([5, 5, 1], [0.5, 0.5, 0.0]).p_value == 0


@pytest.mark.parametrize("n", [20, 300, 20_000])
def test_floors_are_the_mean_distance_of_perfect_draws(n):
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.full(30, 0.3))
    draws = rng.multinomial(n, p, 1000)
    for distance, slack in ((dg.total_variation, 0.0), (dg.kl_divergence, 0.03)):
        values = np.array([distance(counts, p).value for counts in draws])
        floor = distance(draws[0], p).floor
        assert abs(values.mean() - floor) < 4.5 * values.std() / np.sqrt(1000) + slack * floor
        assert distance(draws[0], p).ratio == pytest.approx(values[0] / floor)


def test_p_values_of_perfect_draws_are_uniform():
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(30, 0.5))
    values = [dg.chi_square(counts, p).p_value for counts in rng.multinomial(3000, p, 1000)]
    assert stats.kstest(values, "uniform").pvalue > 1e-3


def test_floors_in_the_limit_of_many_draws():
    p, n = np.full(8, 1 / 8), 10**6
    counts = np.full(8, n // 8)
    assert dg.kl_divergence(counts, p).floor == pytest.approx(7 / (2 * n), rel=1e-3)
    assert dg.total_variation(counts, p).floor == pytest.approx(np.sqrt(p * (1 - p) / (2 * np.pi * n)).sum(), rel=1e-3)
    assert dg.kl_divergence([1, 9], [0.0, 1.0]).value == np.inf


def test_empirical_counts_in_the_order_of_enumeration():
    states = (np.array([[-1, -1], [-1, 1], [1, -1], [1, -1]]),)
    assert dg.empirical(states, (Spin(2),)).tolist() == [1, 1, 2, 0]
    layers = (np.array([[[1, 0]]]), jnp.array([[[1]]]))
    assert dg.empirical(layers, (Binary(2), Binary(1))).tolist() == [0, 0, 0, 0, 0, 1, 0, 0]
    assert dg.empirical((np.array([[[2], [1]]]),), (Categorical((2, 1), 3),)).argmax() == 7


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x: x, "Nothing looks wrong"),
        (lambda x: x[:, :200], "too short"),
        (lambda x: x + np.array([[5.0], [0], [0], [0]]), "do not agree"),
        (lambda x: x + np.linspace(5, 0, 4000), "warm-up"),
        (lambda x: x[0], "one chain"),
        (lambda x: np.where(np.arange(4)[:, None] == 2, 1.0, x), "never moved"),
    ],
)
def test_the_report_names_what_is_wrong(change, says):
    assert says in dg.mixing_report(change(autoregressive(0.7, 4, 4000)))


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        (np.zeros((2, 3, 4)), ValueError, "chains, steps"),
        (np.zeros((2, 3)), ValueError, "at least 4 steps"),
        (np.array([1.0, np.nan, 2, 3, 4]), ValueError, "NaN"),
        (np.array(["a", "b"]), TypeError, "real numbers"),
        (np.zeros((2, 8), complex), TypeError, "real numbers"),
    ],
)
def test_bad_series_are_refused(bad, error, says):
    for measure in (dg.autocorrelation_time, dg.ess, dg.rhat, dg.blocked_error, dg.error_bar, dg.mixing_report):
        with pytest.raises(error, match=says):
            measure(bad)


@pytest.mark.parametrize(
    ("counts", "p", "says"),
    [
        ([1, 2], [0.5, 0.3, 0.2], "one shape"),
        ([1, 2], [0.6, 0.6], "sum to 1"),
        ([0.5, 0.5], [0.5, 0.5], "whole numbers"),
        ([-1, 2], [0.5, 0.5], "whole numbers"),
        ([0, 0], [0.5, 0.5], "at least one draw"),
        ([1, 2], [np.nan, 0.5], "finite"),
    ],
)
def test_bad_counts_are_refused(counts, p, says):
    for measure in (dg.chi_square, dg.total_variation, dg.kl_divergence):
        with pytest.raises(ValueError, match=says):
            measure(counts, p)


def test_bad_states_are_refused():
    with pytest.raises(ValueError, match="too many"):
        dg.empirical((np.ones((3, 40)),), (Spin(40),))
    with pytest.raises(ValueError, match="end in"):
        dg.empirical((np.ones((3, 4)),), (Spin(5),))
    with pytest.raises(ValueError, match="expected values"):
        dg.empirical((np.zeros((3, 5)),), (Spin(5),))
    with pytest.raises(TypeError, match="discrete"):
        dg.empirical((np.zeros((3, 5)),), (Gaussian(5),))
    with pytest.raises(TypeError, match="tuple"):
        dg.empirical(np.ones((3, 5)), (Spin(5),))
    with pytest.raises(ValueError, match="single cell"):
        dg.chi_square([3, 1], [0.5, 0.5])


@pytest.mark.quick
def test_blocks_that_leave_a_remainder_do_not_widen_the_bar():
    """White noise: every block length tells the same error, also where half a chain is left over."""
    x = np.random.default_rng(0).normal(size=(64, 1000))
    curve = dg.blocked_error(x)
    truth = 1 / np.sqrt(x.size)
    assert (abs(curve.errors / truth - 1) < 4 * curve.uncertainties / truth)[curve.sizes <= 512].all()
    assert curve.errors[curve.sizes == 512][0] < 1.25 * truth


@pytest.mark.quick
def test_a_series_that_alternates_is_not_called_reliable():
    """AR(1) with phi = -0.95: tau is 0.026 and cannot be told from zero."""
    generator = np.random.default_rng(1)
    x = np.zeros(2000)
    for t in range(1, 2000):
        x[t] = -0.95 * x[t - 1] + generator.normal()
    assert not dg.autocorrelation_time(x).reliable
