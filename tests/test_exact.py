"""The exact functions against sums over all states, written here a second time in plain NumPy."""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from ebmlab import exact, graphs
from ebmlab.energies import (
    AbstractEnergy,
    DensePairwise,
    DoubleWell,
    GaussianMixture,
    Harmonic,
    IsingLattice,
    MuellerBrown,
    Pairwise,
    Potts,
)
from ebmlab.exact import onsager, transfer
from ebmlab.units import Binary, Categorical, Spin

BETAS = np.array([0.0, 1e-3, 0.3, 0.4406867935, 1.0, 5.0, 30.0, 1e3])
quick = pytest.mark.quick


def all_states(n, values):
    return np.array(list(itertools.product(values, repeat=n)), float)


def reference(energies, beta):
    """log Z, <E>, C and S, each from its definition."""
    beta, lowest = np.asarray(beta)[..., None], np.min(energies)
    energies = energies - lowest
    log_p = -beta * energies
    log_z = logsumexp(log_p, axis=-1)
    p = np.exp(log_p - log_z[..., None])
    mean = (p * energies).sum(-1)
    variance = (p * (energies - mean[..., None]) ** 2).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(p > 0, p * np.log(p), 0.0).sum(-1)
    return log_z - beta[..., 0] * lowest, mean + lowest, beta[..., 0] ** 2 * variance, entropy


def pair_energies(model, values):
    """-sum J s s - sum h s of every state, from the bond list alone."""
    n = model.units[0].size
    s = all_states(n, values)
    i, j = np.asarray(model.edges).T
    with jax.enable_x64(True):
        couplings = np.asarray(model.couplings, float)
    fields = model.external if isinstance(model, IsingLattice) else model.fields
    return s, -(s[:, i] * s[:, j]) @ couplings - (s * np.ravel(fields)).sum(1)


def dense(n, seed=0, field=0.3, units=None):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(size=(n, n)) / math.sqrt(n), 1)
    return DensePairwise(upper + upper.T, field * rng.normal(size=n), units)


def sparse(graph, seed=0, units=None):
    rng = np.random.default_rng(seed)
    return Pairwise(graph, rng.normal(size=len(graph.edges)), rng.normal(size=graph.n), units)


PAIRWISE = {
    "dense": dense(11),
    "dense bits": dense(9, 1, units=Binary(9)),
    "sparse": sparse(graphs.square(3, 4, periodic=False)),
    "sparse bits": sparse(graphs.triangular(3, 3), units=Binary(9)),
    "no bonds": Pairwise(graphs.from_edges(np.zeros((0, 2), int), 3), 1.0, [0.1, 0.2, -0.3]),
    "one spin": DensePairwise([[0.0]], 0.7),
    "lattice": IsingLattice((3, 4), (1.0, -0.5), np.arange(12.0).reshape(3, 4) / 10),
    "double bonds": IsingLattice((2, 4), 0.7, 0.2),
    "cube": IsingLattice((2, 2, 3), -0.6, periodic=False),
    "float32": DensePairwise(jnp.asarray(dense(8, 3).matrix), 0.0),
}


def agree(found, expected, tolerance=1e-10):
    for value, wanted in zip(found[:4], expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=tolerance, atol=tolerance)


@quick
@pytest.mark.parametrize("name", PAIRWISE)
def test_split_against_plain_sums(name):
    model = PAIRWISE[name]
    s, energies = pair_energies(model, model.units[0].values)
    agree(exact.thermodynamics(model, beta=BETAS), reference(energies, BETAS))
    np.testing.assert_allclose(exact.log_partition(model, beta=BETAS), reference(energies, BETAS)[0], rtol=1e-12)
    p = np.exp(-BETAS[:, None] * energies - logsumexp(-BETAS[:, None] * energies, axis=1)[:, None])
    got = exact.moments(model, beta=BETAS)
    np.testing.assert_allclose(got.mean, p @ s, atol=1e-10)
    np.testing.assert_allclose(got.pair, np.einsum("bk,ki,kj->bij", p, s, s), atol=1e-10)
    np.testing.assert_allclose(
        got.covariance[4], np.cov(s.T, aweights=p[4], bias=True).reshape(got.pair[4].shape), atol=1e-10
    )


@quick
@pytest.mark.parametrize("name", ["dense", "dense bits", "lattice"])
def test_enumeration_against_plain_sums(name):
    model = PAIRWISE[name]
    s, energies = pair_energies(model, model.units[0].values)
    np.testing.assert_array_equal(exact.states(model)[0].reshape(s.shape), s)
    np.testing.assert_allclose(exact.energies(model), energies, atol=1e-12)
    x = exact.boltzmann(model, beta=0.7)
    assert x.log_p.dtype == np.float64
    np.testing.assert_allclose(x.log_p, -0.7 * energies - logsumexp(-0.7 * energies), atol=1e-12)
    np.testing.assert_allclose(x.p.sum(), 1.0, rtol=1e-13)
    np.testing.assert_allclose(x.log_z, exact.log_partition(model, beta=0.7), rtol=1e-13)


@quick
def test_an_error_of_five_percent_in_beta_is_seen():
    model = PAIRWISE["dense"]
    _, energies = pair_energies(model, (-1, 1))
    with pytest.raises(AssertionError):
        agree(exact.thermodynamics(model, beta=1.05 * BETAS), reference(energies, BETAS))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            onsager.torus((4, 4), beta=1.05 * 0.4).log_z, exact.log_partition(IsingLattice((4, 4)), beta=0.4), rtol=1e-6
        )


def test_split_at_twenty_units_and_low_temperature_agree_with_enumeration():
    model = dense(20, 5)
    energies = exact.energies(model)
    beta = np.array([0.0, 0.5, 2.0, 50.0, 200.0, 1e3])
    agree(exact.thermodynamics(model, beta=beta), reference(energies, beta))


@quick
def test_split_keeps_its_digits_where_weights_overflow():
    """Ground states far below the bound: couplings between the last two groups that cannot all be satisfied."""
    rng = np.random.default_rng(3)
    upper = np.triu(np.where(rng.random((12, 12)) < 0.5, 5.0, -5.0), 1)
    model = DensePairwise(upper + upper.T)
    _, energies = pair_energies(model, (-1, 1))
    beta = np.array([5.0, 9.0, 10.0, 100.0, 1e4])
    agree(exact.thermodynamics(model, beta=beta), reference(energies, beta))
    p = np.exp(-10 * energies - logsumexp(-10 * energies))
    s = all_states(12, (-1, 1))
    np.testing.assert_allclose(exact.moments(model, beta=10.0).pair, (s.T * p) @ s, atol=1e-10)


class TwoLayers(AbstractEnergy):
    """Spins and Potts variables of three levels, with a three-body term."""

    w: jax.Array
    units = (Spin((2, 2)), Categorical(3, 3), Binary(2))

    def energy(self, x):
        s, c, b = x
        return (self.w[c] * s.ravel()[:3]).sum() - s[0, 0] * s[1, 1] * b[0] * c[2] + 0.3 * (c == 1).sum() * b[1]


@quick
def test_mixed_layers_and_many_body_terms():
    model = TwoLayers(jnp.array([0.2, -0.5, 1.1]))
    w = np.asarray(model.w, float)
    rows = [
        (s, c, b)
        for s in itertools.product((-1, 1), repeat=4)
        for c in itertools.product(range(3), repeat=3)
        for b in itertools.product((0, 1), repeat=2)
    ]
    energies = np.array(
        [
            sum(w[c[k]] * s[k] for k in range(3)) - s[0] * s[3] * b[0] * c[2] + 0.3 * c.count(1) * b[1]
            for s, c, b in rows
        ]
    )
    x = exact.boltzmann(model, beta=BETAS)
    assert [layer.shape for layer in x.states] == [(1728, 2, 2), (1728, 3), (1728, 2)]
    assert [tuple(map(int, layer[5].ravel())) for layer in x.states] == [rows[5][0], rows[5][1], rows[5][2]]
    np.testing.assert_allclose(x.energies, energies, atol=1e-12)
    agree(exact.thermodynamics(model, beta=BETAS), reference(energies, BETAS))
    p = x.p
    spin, potts, bit = exact.marginals(model, beta=BETAS)
    s, c, b = (np.array([row[k] for row in rows]) for k in range(3))
    np.testing.assert_allclose(spin.reshape(len(BETAS), 4), p @ (s == 1), atol=1e-12)
    np.testing.assert_allclose(potts, np.einsum("bk,kiv->biv", p, c[..., None] == np.arange(3)), atol=1e-12)
    np.testing.assert_allclose(bit, p @ (b == 1), atol=1e-12)
    flat = np.concatenate([s, c, b], axis=1).astype(float)
    np.testing.assert_allclose(
        exact.moments(model, beta=BETAS).pair, np.einsum("bk,ki,kj->bij", p, flat, flat), atol=1e-11
    )
    got = exact.expectation(model, lambda x: jnp.stack([x[0].sum(), x[1].max() * 1.0]), beta=BETAS)
    np.testing.assert_allclose(got, np.stack([p @ s.sum(1), p @ c.max(1)], axis=-1), atol=1e-11)


@quick
def test_scalar_and_array_beta_have_the_right_shapes():
    for model in (dense(5), Potts(graphs.ring(3), 3)):
        assert exact.thermodynamics(model, beta=0.5).energy.shape == ()
        assert exact.thermodynamics(model, beta=np.ones((2, 3))).energy.shape == (2, 3)
        assert exact.log_partition(model, beta=jnp.ones(2)).dtype == np.float64
        n = model.units[0].size
        assert exact.moments(model, beta=np.ones((2, 3))).pair.shape == (2, 3, n, n)
        assert exact.boltzmann(model, beta=np.ones((2, 3))).log_p.shape == (2, 3, len(exact.energies(model)))
        assert exact.expectation(model, lambda x: 1.0 * x[0], beta=np.ones((2, 3))).shape == (2, 3, n)
    (p,) = exact.marginals(Potts(graphs.ring(3), 3), beta=np.ones(2))
    np.testing.assert_allclose(p, np.full((2, 3, 3), 1 / 3))
    (p,) = exact.marginals(IsingLattice((2, 3), 1.0, 0.5), beta=0.7)
    assert p.shape == (2, 3)
    assert (p > 0.5).all()


@quick
def test_beta_zero_and_very_cold():
    found = exact.thermodynamics(IsingLattice((4, 4)), beta=[0.0, 1e3])
    np.testing.assert_allclose(found.log_z, [16 * math.log(2), 32e3 + math.log(2)], rtol=1e-14)
    np.testing.assert_allclose(found.entropy, [16 * math.log(2), math.log(2)], rtol=1e-12)
    assert found.free_energy[0] == -np.inf
    np.testing.assert_allclose(found.heat_capacity, 0.0, atol=1e-12)


@quick
def test_forbidden_states_have_infinite_energy():
    class OneHot(AbstractEnergy):
        units = (Binary(3),)

        def energy(self, x):
            return jnp.where(x[0].sum() == 1, x[0] @ jnp.arange(3.0), jnp.inf)

    beta = np.array([0.0, 1.0])
    agree(exact.thermodynamics(OneHot(), beta=beta), reference(np.arange(3.0), beta))
    x = exact.boltzmann(OneHot(), beta=1.0)
    assert (x.p > 0).sum() == 3
    np.testing.assert_allclose(exact.marginals(OneHot(), beta=0.0)[0], 1 / 3)
    assert exact.density_of_states(OneHot()).counts == (1, 1, 1)


@quick
def test_global_precision_is_left_alone():
    exact.energies(dense(4))
    assert jnp.ones(2).dtype == jnp.float32


# Transfer matrices


def ring_model(J, h):
    n = len(J)
    strength = {tuple(sorted((i, (i + 1) % n))): J[i] for i in range(n)}
    graph = graphs.ring(n)
    return Pairwise(graph, [strength[tuple(edge)] for edge in graph.edges.tolist()], h)


@quick
@pytest.mark.parametrize("n", [3, 4, 7, 10])
def test_ring_against_plain_sums(n):
    rng = np.random.default_rng(n)
    J, h = rng.normal(size=n), rng.normal(size=n)
    s, energies = pair_energies(ring_model(J, h), (-1, 1))
    agree(transfer.ring(J, h, beta=BETAS), reference(energies, BETAS))
    p = np.exp(-BETAS[:, None] * energies - logsumexp(-BETAS[:, None] * energies, axis=1)[:, None])
    got = transfer.ring_moments(J, h, beta=BETAS)
    np.testing.assert_allclose(got.mean, p @ s, atol=1e-10)
    np.testing.assert_allclose(got.pair, np.einsum("bk,ki,kj->bij", p, s, s), atol=1e-10)


@quick
def test_long_frustrated_ring_against_the_closed_form():
    n, K = 1001, np.array([0.1, 0.7, 3.0])
    J = np.ones(n)
    J[17] = -1.0
    a, b = np.exp(-2 * K), np.log1p(np.exp(-2 * K))
    wanted = n * (K + b) + np.log1p(-np.exp(n * np.log((1 - a) / (1 + a))))
    np.testing.assert_allclose(transfer.ring(J, beta=K).log_z, wanted, rtol=1e-12)
    np.testing.assert_allclose(transfer.ring(J, beta=1e3).entropy, math.log(2 * n), rtol=1e-9)


@quick
def test_front_door_takes_long_lattices_to_the_transfer_matrix():
    chain = exact.log_partition(IsingLattice(500, 1.0, periodic=False), beta=0.7)
    np.testing.assert_allclose(chain, 500 * math.log(2) + 499 * math.log(math.cosh(0.7)), rtol=1e-13)
    pair = exact.moments(IsingLattice(60), beta=0.7).pair
    t = math.tanh(0.7)
    np.testing.assert_allclose(pair[0, 7], (t**7 + t**53) / (1 + t**60), rtol=1e-11)
    strip = exact.thermodynamics(IsingLattice((5, 12), (1.0, 0.5), 0.1), beta=0.3)
    agree(strip, transfer.strip((12, 5), (0.5, 1.0), 0.1, beta=0.3)[:4])
    torus = exact.thermodynamics(IsingLattice((6, 8)), beta=0.3)
    agree(torus, transfer.strip((6, 8), beta=0.3)[:4])


@quick
def test_potts_ring():
    n, q, K = 9, 4, np.array([0.0, 0.3, 2.0])
    wanted = np.log((np.exp(K) + q - 1) ** n + (q - 1) * (np.exp(K) - 1) ** n)
    np.testing.assert_allclose(transfer.potts_ring(np.ones(n), q, beta=K).log_z, wanted, rtol=1e-13)
    small = exact.thermodynamics(Potts(graphs.ring(4), 3, -0.7), beta=BETAS)
    agree(transfer.potts_ring(np.full(4, -0.7), 3, beta=BETAS), small[:4])


@quick
@pytest.mark.parametrize("shape", [(4, 4), (3, 4), (5, 2), (2, 4), (1, 5), (7, 1), (3, 3)])
@pytest.mark.parametrize("periodic", [True, False])
def test_strip_against_plain_sums(shape, periodic):
    for J, h in (((1.0, 1.0), 0.0), ((0.7, -1.1), 0.3), ((-0.6, -0.6), 0.5)):
        model = IsingLattice(shape, J, h, periodic=periodic)
        _, energies = pair_energies(model, (-1, 1))
        agree(transfer.strip(shape, J, h, beta=BETAS, periodic=periodic), reference(energies, BETAS))


@quick
def test_cylinder_against_plain_sums():
    graph = graphs.from_edges(
        [(4 * r + c, 4 * r + (c + 1) % 4) for r in range(3) for c in range(4)] + [(i, i + 4) for i in range(8)]
    )
    vertical = [i == j - 4 for i, j in graph.edges.tolist()]
    model = Pairwise(graph, np.where(vertical, 0.8, -0.3), 0.2)
    _, energies = pair_energies(model, (-1, 1))
    found = transfer.strip((3, 4), (0.8, -0.3), 0.2, beta=BETAS, periodic=(False, True))
    agree(found, reference(energies, BETAS))
    turned = transfer.strip((4, 3), (-0.3, 0.8), 0.2, beta=BETAS, periodic=(True, False))
    agree(turned, reference(energies, BETAS))


@pytest.mark.parametrize(("width", "periodic"), [(1, False), (3, True), (6, False), (8, True)])
def test_endless_strip_is_the_limit_of_long_ones(width, periodic):
    beta, J, h = np.array([0.0, 0.2, 0.44, 0.9]), (0.9, -0.4), 0.2
    long = transfer.strip((300, width), J, h, beta=beta, periodic=(False, periodic))
    longer = transfer.strip((400, width), J, h, beta=beta, periodic=(False, periodic))
    found = transfer.infinite_strip(width, J, h, beta=beta, periodic=periodic)
    np.testing.assert_allclose(found.log_z, (longer.log_z - long.log_z) / 100 / width, rtol=1e-11)
    np.testing.assert_allclose(found.energy, (longer.energy - long.energy) / 100 / width, atol=1e-10)


@quick
def test_correlation_length():
    beta = np.array([0.1, 0.5, 2.0])
    np.testing.assert_allclose(transfer.correlation_length(1.0, beta=beta), -1 / np.log(np.tanh(beta)), rtol=1e-12)
    for J, h in ((1.0, 0.3), (-0.5, 0.7), (-0.5, 0.0)):
        line = transfer.infinite_strip(1, (J, 0.0), h, beta=beta).correlation_length
        np.testing.assert_allclose(transfer.correlation_length(J, h, beta=beta), line, rtol=1e-10)
    assert transfer.correlation_length(1.0, beta=[0.0, 1e3]).tolist() == [0.0, np.inf]
    pair = transfer.ring_moments(np.full(400, -0.5), 0.7, beta=1.0).covariance[0]
    measured = -1 / math.log(abs(pair[11] / pair[10]))
    np.testing.assert_allclose(transfer.correlation_length(-0.5, 0.7, beta=1.0), measured, rtol=1e-8)


@quick
def test_width_fourteen():
    found = transfer.infinite_strip(14, beta=0.15)
    np.testing.assert_allclose(found.log_z, onsager.log_partition_per_site(beta=0.15), rtol=1e-10)
    np.testing.assert_allclose(found.energy, onsager.energy_per_site(beta=0.15), rtol=1e-8)
    open_ends = transfer.strip((6, 14), beta=0.3, periodic=(False, True))
    turned = transfer.strip((14, 6), beta=0.3, periodic=(True, False))
    agree(open_ends, turned[:4])


# Density of states and closed forms


@quick
@pytest.mark.parametrize("shape", [(4, 4), (3, 4), (2, 4), (1, 6)])
@pytest.mark.parametrize(("J", "periodic"), [(1.0, True), (1.0, False), (-0.3, True)])
def test_density_of_states_against_enumeration(shape, J, periodic):
    model = IsingLattice(shape, J, periodic=periodic)
    found = exact.density_of_states(model)
    _, energies = pair_energies(model, (-1, 1))
    levels, counts = np.unique(energies.round(9), return_counts=True)
    np.testing.assert_allclose(found.energies, levels, atol=1e-9)
    assert found.counts == tuple(counts.tolist())
    agree(found.thermodynamics(beta=BETAS), reference(energies, BETAS))


@quick
def test_density_of_states_of_any_discrete_model():
    found = exact.density_of_states(Pairwise(graphs.ring(5), [1.0, 1, 1, 1, -1]))
    assert found.energies.tolist() == [-3.0, 1.0, 5.0]
    assert found.counts == (10, 20, 2)
    assert sum(exact.density_of_states(IsingLattice((8, 8))).counts) == 2**64


@quick
@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (3, 3), (4, 4), (3, 5), (5, 3)])
def test_torus_against_plain_sums(shape):
    _, energies = pair_energies(IsingLattice(shape), (-1, 1))
    beta = np.array([0.0, 1e-5, 9e-4, 1.1e-3, 0.05, 0.4406867935097715, 0.6, 3.0, 25.0, 1e3])
    agree(onsager.torus(shape, beta=beta), reference(energies, beta), 2e-9)
    if all(side % 2 == 0 for side in shape):
        agree(onsager.torus(shape, -1.0, beta=beta), onsager.torus(shape, beta=beta)[:4])


@quick
def test_torus_of_8x8_against_integers_and_large_ones_against_onsager():
    levels = exact.density_of_states(IsingLattice((8, 8)))
    agree(onsager.torus((8, 8), beta=BETAS), levels.thermodynamics(beta=BETAS)[:4], 1e-9)
    beta = np.array([1e-4, 2e-3, 0.2, 0.7])
    large = onsager.torus((128, 128), beta=beta)
    n = 128**2
    np.testing.assert_allclose(
        large.log_z / n - math.log(2) / n * (beta > 0.5), onsager.log_partition_per_site(beta=beta), rtol=1e-12
    )
    np.testing.assert_allclose(large.energy / n, onsager.energy_per_site(beta=beta), rtol=1e-9)
    np.testing.assert_allclose(large.heat_capacity / n, onsager.heat_capacity_per_site(beta=beta), rtol=1e-7)


@quick
def test_onsager_formulas_are_derivatives_of_each_other():
    for beta in (1e-4, 5e-4, 2e-3, 0.2, 0.43, 0.45, 1.0):
        step = 1e-4 * min(beta, 0.05)
        near = onsager.log_partition_per_site(beta=[beta - step, beta + step])
        np.testing.assert_allclose(
            onsager.energy_per_site(beta=beta), -(near[1] - near[0]) / (2 * step), rtol=1e-3, atol=1e-7
        )
        slopes = onsager.energy_per_site(beta=[beta - step, beta + step])
        slope = -(beta**2) * (slopes[1] - slopes[0]) / (2 * step)
        np.testing.assert_allclose(onsager.heat_capacity_per_site(beta=beta), slope, rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(onsager.energy_per_site(beta=0.2, coupling=2.0), 2 * onsager.energy_per_site(beta=0.4))
    assert onsager.energy_per_site(beta=[0.0, 1e3]).tolist() == [0.0, -2.0]
    assert onsager.magnetisation(beta=[0.0, 0.4, 1e3]).tolist() == [0.0, 0.0, 1.0]
    assert onsager.heat_capacity_per_site(beta=[0.0, 1e3]).tolist() == [0.0, 0.0]
    assert onsager.free_energy_per_site(beta=[0.0, 1e3])[1] == pytest.approx(-2.0)


@quick
def test_anisotropic_critical_temperature():
    for pair in ((1.0, 0.3), (0.2, 2.0), (1e-3, 1.0), (1.0, 1.0)):
        t = onsager.critical_temperature(pair)
        assert math.sinh(2 * pair[0] / t) * math.sinh(2 * pair[1] / t) == pytest.approx(1.0, rel=1e-9)
    assert onsager.magnetisation(beta=1.001 / onsager.critical_temperature((1.0, 0.3)), coupling=(1.0, 0.3)) > 0.3


# Real variables


@quick
def test_density_of_an_oscillator_and_a_mixture():
    x = np.linspace(-8, 8, 401)
    found = exact.density(Harmonic(1, 2.0), x, beta=[0.7, 3.0])
    beta = np.array([0.7, 3.0])
    np.testing.assert_allclose(found.log_z, 0.5 * np.log(2 * np.pi / (2 * beta)), rtol=1e-12)
    np.testing.assert_allclose(found.variance[:, 0], 1 / (2 * beta), rtol=1e-12)
    np.testing.assert_allclose(found.mean, 0.0, atol=1e-14)
    np.testing.assert_allclose((found.p * found.weights).sum(-1), 1.0, rtol=1e-13)
    assert (found.error < 1e-10).all()
    assert (found.edge < 1e-10).all()
    mixture = exact.density(GaussianMixture([[-1.0, 0.5], [1.0, 0.0]], 0.5), (x, x), beta=1.0)
    assert abs(mixture.log_z) < 1e-12
    np.testing.assert_allclose(mixture.mean, [0.0, 0.25], atol=1e-12)
    np.testing.assert_allclose(mixture.variance, [1.25, 0.3125], rtol=1e-12)


@quick
def test_density_reports_a_range_that_is_too_narrow_and_a_grid_that_is_too_coarse():
    assert exact.density(DoubleWell(2.0), np.linspace(-1, 1, 101), beta=1.0).edge > 0.5
    assert exact.density(DoubleWell(2.0), np.linspace(-3, 3, 301), beta=1.0).edge < 1e-10
    assert exact.density(DoubleWell(2.0), np.linspace(-3, 3, 7), beta=5.0).error > 0.01
    wide = exact.density(MuellerBrown(), (np.linspace(-2, 1.5, 301), np.linspace(-1, 2.5, 301)), beta=1.0)
    assert wide.edge < 1e-3
    assert wide.error < 1e-6


@quick
def test_relative_entropy():
    x = np.linspace(-12, 12, 1201)
    p, q = (exact.density(Harmonic(1, k), x, beta=1.0) for k in (1.0, 4.0))
    np.testing.assert_allclose(exact.relative_entropy(p, q), 0.5 * (4 - 1 - math.log(4)), rtol=1e-10)
    np.testing.assert_allclose(exact.relative_entropy(q, p), 0.5 * (0.25 - 1 + math.log(4)), rtol=1e-10)
    model = dense(6)
    a, b = exact.boltzmann(model, beta=[0.5, 2.0]), exact.boltzmann(model, beta=1.0)
    wanted = [(a.p[k] * (a.log_p[k] - b.log_p)).sum() for k in range(2)]
    np.testing.assert_allclose(exact.relative_entropy(a, b), wanted, rtol=1e-12)
    assert exact.relative_entropy(a, a).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="different states"):
        exact.relative_entropy(b, exact.boltzmann(dense(5), beta=1.0))
    with pytest.raises(TypeError, match="two results"):
        exact.relative_entropy(b, p)


# Bad input


@quick
@pytest.mark.parametrize("beta", [-1.0, np.nan, np.inf, [0.5, -0.1]])
def test_bad_beta(beta):
    model, x = dense(4), np.linspace(-1, 1, 5)
    calls = [
        *(lambda f=f: f(model, beta=beta) for f in (exact.log_partition, exact.thermodynamics, exact.moments)),
        *(lambda f=f: f(model, beta=beta) for f in (exact.marginals, exact.boltzmann)),
        lambda: exact.expectation(model, lambda x: x[0], beta=beta),
        lambda: exact.density(Harmonic(), x, beta=beta),
        lambda: exact.density_of_states(model).thermodynamics(beta=beta),
        lambda: transfer.ring([1.0, 1.0], beta=beta),
        lambda: transfer.potts_ring([1.0, 1.0], 3, beta=beta),
        lambda: transfer.ring_moments([1.0, 1.0], beta=beta),
        lambda: transfer.correlation_length(1.0, beta=beta),
        lambda: transfer.strip((3, 3), beta=beta),
        lambda: transfer.infinite_strip(3, beta=beta),
        lambda: onsager.torus(4, beta=beta),
        *(lambda f=f: f(beta=beta) for f in (onsager.energy_per_site, onsager.magnetisation)),
        *(lambda f=f: f(beta=beta) for f in (onsager.log_partition_per_site, onsager.heat_capacity_per_site)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="beta"):
            call()


@quick
def test_too_many_states_name_the_memory_and_what_to_do():
    for call in (exact.log_partition, exact.thermodynamics, exact.moments, exact.marginals):
        with pytest.raises(ValueError, match=r"40 .*GiB.*annealed importance sampling"):
            call(dense(40), beta=1.0)
        with pytest.raises(ValueError, match=r"40 .*GiB.*annealed importance sampling"):
            call(Potts(graphs.ring(40), 3), beta=1.0)
    with pytest.raises(ValueError, match=r"30 units have 1.07e\+09 states.* 8 GiB"):
        exact.energies(dense(30))
    for call in (exact.boltzmann, lambda model, beta: exact.states(model)):
        with pytest.raises(ValueError, match="the limit is 4194304"):
            call(dense(23), beta=1.0)
    with pytest.raises(ValueError, match="1000 values of beta"):
        exact.boltzmann(dense(18), beta=np.ones(1000))
    with pytest.raises(ValueError, match=r"torus.*Wang-Landau"):
        exact.density_of_states(IsingLattice((14, 14)))
    with pytest.raises(ValueError, match=r"width 20|20 spins.*GiB"):
        transfer.strip((20, 20), beta=1.0)
    with pytest.raises(ValueError, match="limit is width 14"):
        transfer.infinite_strip(15, beta=1.0)
    with pytest.raises(ValueError, match="GiB"):
        transfer.ring_moments(np.ones(3000), beta=1.0)


@quick
def test_bad_models():
    class Vector(AbstractEnergy):
        units = (Spin(3),)

        def energy(self, x):
            return x[0]

    class Nan(AbstractEnergy):
        units = (Spin(3),)

        def energy(self, x):
            return jnp.log(x[0].sum())

    with pytest.raises(ValueError, match="one number"):
        exact.log_partition(Vector(), beta=1.0)
    with pytest.raises(ValueError, match="NaN"):
        exact.energies(Nan())
    with pytest.raises(TypeError, match="discrete"):
        exact.log_partition(Harmonic(), beta=1.0)
    for call in (exact.log_partition, exact.moments, exact.boltzmann, exact.marginals):
        with pytest.raises(TypeError, match="AbstractEnergy"):
            call(3.0, beta=1.0)
    with pytest.raises(TypeError, match="outside jit"):
        jax.grad(lambda beta: exact.log_partition(dense(3), beta=beta))(1.0)
    with pytest.raises(TypeError, match="outside jit"):
        eqx.filter_jit(lambda model: exact.log_partition(model, beta=1.0))(DensePairwise(jnp.zeros((2, 2))))


@quick
def test_bad_shapes():
    with pytest.raises(ValueError, match="shape"):
        transfer.ring(np.ones((2, 2)), beta=1.0)
    with pytest.raises(ValueError, match="shape"):
        transfer.ring(np.ones(3), np.ones(2), beta=1.0)
    with pytest.raises(ValueError, match="finite"):
        transfer.ring([1.0, np.nan, 1.0], beta=1.0)
    with pytest.raises(ValueError, match="levels"):
        transfer.potts_ring(np.ones(3), 1, beta=1.0)
    with pytest.raises(ValueError, match="coupling"):
        transfer.strip((3, 3), np.ones(3), beta=1.0)
    with pytest.raises(ValueError, match="one field"):
        transfer.strip((3, 3), 1.0, np.ones(9), beta=1.0)
    with pytest.raises(ValueError, match="length, width"):
        transfer.strip(3, beta=1.0)
    with pytest.raises(TypeError, match="periodic"):
        transfer.strip((3, 3), beta=1.0, periodic="yes")
    with pytest.raises(ValueError, match="endless"):
        transfer.infinite_strip(2, -1.0, 3.0, beta=1e3)
    with pytest.raises(ValueError, match="frustrated"):
        onsager.torus((3, 4), -1.0, beta=1.0)
    with pytest.raises(ValueError, match="both axes"):
        onsager.torus((4, 4), (1.0, 2.0), beta=1.0)
    for bad in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="coupling"):
            onsager.critical_temperature(bad)
        with pytest.raises(ValueError, match="coupling"):
            onsager.energy_per_site(beta=1.0, coupling=bad)
    for grid in ([0.0, 1.0], [0.0, 2.0, 1.0], np.zeros((3, 3)), [0.0, 1.0, np.inf]):
        with pytest.raises(ValueError, match="grid"):
            exact.density(Harmonic(), grid, beta=1.0)
    with pytest.raises(ValueError, match="grids"):
        exact.density(Harmonic(2), np.linspace(-1, 1, 5), beta=1.0)
    with pytest.raises(ValueError, match="Gaussian"):
        exact.density(dense(2), np.linspace(-1, 1, 5), beta=1.0)


@pytest.mark.quick
@pytest.mark.parametrize("off", [0.0, 1e-7, 4.3e-5, -4.3e-5, 1e-3, -0.05])
def test_onsager_log_z_keeps_its_digits_near_the_critical_point(off):
    """The kink of the integrand at t = 0, of width w, is unfolded by t = w sinh y for Gauss-Legendre."""
    K = 0.5 * np.log(1 + np.sqrt(2)) + off
    w = max(abs((np.sinh(2 * K) ** 2 - 1) / (np.sinh(2 * K) ** 2 + 1)), 1e-12)
    y, weight = np.polynomial.legendre.leggauss(2000)
    top = np.arcsinh(np.pi / 2 / w)
    y, weight = (y + 1) * top / 2, weight * top / 2
    t = w * np.sinh(y)
    integral = (weight * w * np.cosh(y) * np.log1p(np.hypot(np.sin(t), w * np.cos(t)))).sum()
    expected = 0.5 * np.log(2) + np.log(np.cosh(2 * K)) + integral / np.pi
    assert abs(exact.onsager.log_partition_per_site(beta=K) - expected) < 1e-12


@pytest.mark.quick
def test_a_model_that_was_closed_over_by_a_jitted_function_is_still_exact():
    ring = Pairwise(graphs.ring(4), 1.0, 0.3)
    before = exact.energies(ring)
    jax.jit(lambda s: ring.energy((s,)))(jnp.ones(4))
    np.testing.assert_array_equal(exact.energies(ring), before)
