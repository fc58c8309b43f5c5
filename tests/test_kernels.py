"""Every kernel on discrete units leaves exp(-beta E) as it is, and the tests would notice if it did not.

Exact probabilities and transition matrices are written out here, from `model.energy` alone. Each stationarity test
starts one chain for each exact draw, runs a few steps, and compares the last states by chi-square; the same test with
beta 5 % too large must fail.
"""

from itertools import product
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from ebmlab import graphs
from ebmlab.diagnostics import chi_square, empirical
from ebmlab.energies import (
    AbstractConditional,
    AbstractEnergy,
    DensePairwise,
    Harmonic,
    IsingLattice,
    Pairwise,
    Potts,
)
from ebmlab.energies.base import discrete_values, random_state
from ebmlab.exact import thermodynamics
from ebmlab.kernels import HMC, MALA, NUTS, ULA, Gibbs, Metropolis, SwendsenWang, Wolff, clusters
from ebmlab.sampling import sample
from ebmlab.units import Binary, Gaussian, Spin

CHAINS = 2**16
WRONG, RIGHT = 1e-4, 1e-3  # p-values: a wrong beta must fall below, the right one stay above


class ThreeSpin(AbstractEnergy):
    """A student's ten lines: triples that want a product of +1, which no pairwise energy can say."""

    strength: Any
    units = (Spin(5),)

    def energy(self, x):
        s = x[0]
        return -self.strength * (s[0] * s[1] * s[2] + s[2] * s[3] * s[4] + 0.5 * s[0] * s[4]) - 0.4 * s.sum()


class TinyRBM(AbstractConditional):
    """A student's ten lines: two layers of bits, fields by the default derivative."""

    weights: Any
    units = (Binary(3), Binary(2))
    blocks = (np.arange(3), np.arange(3, 5))

    def energy(self, x):
        v, h = x
        return -v @ jnp.asarray(self.weights) @ h + 1.6 * v.sum() + 1.2 * h.sum()


class LongRange(AbstractEnergy):
    """Claims the bonds of a ring, but holds another term as well."""

    units = (Spin(4),)
    edges = graphs.ring(4).edges
    couplings = np.ones(4)

    def energy(self, x):
        return -(x[0] * jnp.roll(x[0], 1)).sum() - 2 * x[0].prod()


def swap_two(x, key):
    """A symmetric proposal that changes two neighbours at once, or one."""
    first, second = jax.random.split(key)
    i = jax.random.randint(first, (), 0, x[0].size)
    both = jax.random.bernoulli(second)
    s = x[0].at[i].multiply(-1)
    return (jnp.where(both, s.at[(i + 1) % s.size].multiply(-1), s),), 0.0


GRAPH = graphs.from_edges([(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (1, 3)])
SIGNS = np.array([1.0, -0.8, 0.9, 0.7, 1.1, -0.6])
FIELDS = np.array([0.3, -0.2, 0.4, 0.1, 0.2])
MATRIX = np.zeros((5, 5))
MATRIX[np.triu_indices(5, 1)] = [0.5, -0.4, 0.3, 0.6, 0.7, -0.2, 0.5, 0.4, 0.3, -0.6]
WEIGHTS = np.array([[4.0, -2.0], [3.0, 1.5], [-1.5, 4.0]])

MODELS = {
    "pairwise": Pairwise(GRAPH, SIGNS, FIELDS),
    "no fields": Pairwise(GRAPH, SIGNS),
    "bits": Pairwise(GRAPH, 2 * SIGNS, 2 * FIELDS - 0.5, Binary(5)),
    "dense": DensePairwise(MATRIX + MATRIX.T, FIELDS),
    "lattice": IsingLattice((2, 4), [0.35, 0.6], 0.1),
    "open lattice": IsingLattice((3, 2), -0.7, np.array([[0.3, 0.0], [-0.2, 0.1], [0.0, 0.4]]), periodic=False),
    "potts": Potts(graphs.complete(4), 3, 0.8, np.arange(12.0).reshape(4, 3) / 12),
    "student": ThreeSpin(0.7),
    "student's layers": TinyRBM(WEIGHTS),
}
METROPOLIS = {scan: Metropolis(scan=scan) for scan in ("random", "sequential", "blocks")}
GIBBS = {scan: Gibbs(scan=scan) for scan in ("random", "sequential", "blocks")}
SINGLE = [GIBBS["random"], GIBBS["sequential"], METROPOLIS["random"], METROPOLIS["sequential"]]
BLOCKS = [GIBBS["blocks"], METROPOLIS["blocks"]]
CLUSTER = [SwendsenWang(), Wolff()]
KERNELS = {
    "pairwise": SINGLE + BLOCKS + CLUSTER,
    "no fields": CLUSTER,
    "bits": SINGLE + BLOCKS,
    "dense": SINGLE + CLUSTER,
    "lattice": SINGLE + BLOCKS + CLUSTER,
    "open lattice": BLOCKS + CLUSTER,
    "potts": [*SINGLE, GIBBS["blocks"], *CLUSTER],
    "student": [*SINGLE, Metropolis(proposal=swap_two)],
    "student's layers": SINGLE + BLOCKS,
}
QUICK = {
    ("pairwise", "Gibbs blocks"),
    ("lattice", "Wolff"),
    ("potts", "SwendsenWang"),
    ("student", "Metropolis random"),
}
BETA = 0.9


def label(kernel):
    if isinstance(kernel, Metropolis) and kernel.proposal is not None:
        return "Metropolis proposal"
    return f"{type(kernel).__name__} {getattr(kernel, 'scan', '')}".strip()


def combinations():
    for name, kernels in KERNELS.items():
        for kernel in kernels:
            marks = [pytest.mark.quick] if (name, label(kernel)) in QUICK else []
            yield pytest.param(name, kernel, id=f"{name}-{label(kernel)}", marks=marks)


class Target(NamedTuple):
    """All states (one array a layer, states first), their energies and probabilities in float64."""

    states: tuple
    energies: np.ndarray
    p: np.ndarray


def enumerate_states(model, beta=BETA):
    values = discrete_values(model.units)
    flat = np.array(list(product(values, repeat=sum(u.size for u in model.units))), np.float64)
    ends = np.cumsum([u.size for u in model.units])[:-1]
    layers = [a.reshape(-1, *u.shape) for a, u in zip(np.split(flat, ends, axis=1), model.units, strict=True)]
    with jax.enable_x64(True):
        wide = tuple(jnp.asarray(a, jnp.float64) for a in layers)
        energies = np.asarray(jax.vmap(model.energy)(wide), np.float64)
    weight = np.exp(-beta * (energies - energies.min()))
    states = tuple(jnp.asarray(a, u.dtype) for a, u in zip(layers, model.units, strict=True))
    return Target(states, energies, weight / weight.sum())


@eqx.filter_jit
def run(kernel, model, x, beta, keys, count):
    return jax.vmap(lambda x, key: kernel.steps(model, x, beta=beta, key=key, first=0, count=count))(x, keys)


def after(kernel, model, target, *, beta, seed, count):
    """How often each state occurs after `count` steps from exact draws."""
    start = np.random.default_rng(seed).choice(len(target.p), CHAINS, p=target.p)
    x = tuple(layer[start] for layer in target.states)
    x, _ = run(kernel, model, x, jnp.asarray(beta, jnp.float32), jax.random.split(jax.random.key(seed), CHAINS), count)
    return empirical(x, model.units)


@pytest.mark.parametrize(("name", "kernel"), list(combinations()))
def test_the_kernel_keeps_the_exact_distribution_and_a_wrong_beta_is_caught(name, kernel):
    """Swept when written: 8 combinations over 200 keys (wrong beta: 50), the other 44 over 12 (wrong beta: 4).

    The right beta fell below RIGHT in 3 of 2128 runs, where perfect kernels would in 2.1; the wrong one never rose
    above 1e-17.
    """
    model = MODELS[name]
    target = enumerate_states(model)
    count = 40 if label(kernel) == "Metropolis proposal" else 8  # sweeps, or single proposals
    assert chi_square(after(kernel, model, target, beta=BETA, seed=1, count=count), target.p).p_value > RIGHT
    assert chi_square(after(kernel, model, target, beta=1.05 * BETA, seed=2, count=count), target.p).p_value < WRONG


# Transition matrices, written out. A state is its number in the enumeration; `flips[i, v]` are the numbers of the
# states in which site i has been set to its v-th value.


def numbered(model):
    levels, sites = len(discrete_values(model.units)), sum(u.size for u in model.units)
    weight = levels ** np.arange(sites - 1, -1, -1)
    digits = np.arange(levels**sites)[:, None] // weight % levels
    return levels, digits, weight


def conditional(model, energies, site, *, metropolis):
    """The matrix of one update of one site: heat bath, or a Metropolis proposal of another value."""
    levels, digits, weight = numbered(model)
    matrix = np.zeros((len(energies), len(energies)))
    here = np.arange(len(energies))
    targets = here[:, None] + (np.arange(levels) - digits[:, site, None]) * weight[site]
    boltzmann = np.exp(-BETA * (energies[targets] - energies[:, None]))
    if metropolis:
        chance = np.minimum(1, boltzmann) / (levels - 1)
        chance[here, digits[:, site]] = 0
        chance[here, digits[:, site]] = 1 - chance.sum(1)
    else:
        chance = boltzmann / boltzmann.sum(1, keepdims=True)
    np.add.at(matrix, (here[:, None], targets), chance)
    return matrix


def sweep_matrix(kernel, model, energies):
    sites = sum(u.size for u in model.units)
    single = [conditional(model, energies, i, metropolis=isinstance(kernel, Metropolis)) for i in range(sites)]
    if kernel.scan == "random":
        return np.linalg.matrix_power(np.mean(single, axis=0), sites)
    order = np.concatenate(model.blocks) if kernel.scan == "blocks" else np.arange(sites)
    return np.linalg.multi_dot([np.eye(len(energies)), *(single[i] for i in order)])


def cluster_matrix(kernel, model):
    """Sum over all sets of active bonds; fields as the docstrings say."""
    levels, digits, weight = numbered(model)
    potts = levels > 2
    values = digits if potts else 2 * digits - 1
    n, total = digits.shape[1], len(digits)
    fields = np.asarray(model.fields) if potts else np.asarray(model.fields)[:, None] * np.array([-1, 1])
    matrix = np.zeros((total, total))
    for a, active in product(range(total), product((0, 1), repeat=len(model.edges))):
        s = values[a]
        i, j = model.edges.T
        strength = model.couplings * (1 if potts else 2)
        satisfied = (s[i] == s[j]) if potts else (strength * s[i] * s[j] > 0)
        chance = np.where(satisfied, 1 - np.exp(-BETA * np.abs(strength)), 0)
        weight_of = np.prod(np.where(active, chance, 1 - chance))
        if weight_of == 0:
            continue
        on = np.array(active, bool)
        graph = sparse.coo_matrix((np.ones(on.sum()), (i[on], j[on])), shape=(n, n))
        count, member = connected_components(graph, directed=False)
        moves = wolff_moves if isinstance(kernel, Wolff) else sw_moves
        for new, p in moves(digits[a], member, count, fields, levels, potts):
            matrix[a, new @ weight] += weight_of * p
    return matrix


def wolff_moves(digit, member, count, fields, levels, potts):
    for c in range(count):
        inside = member == c
        for hop in range(1, levels):
            new = np.where(inside, (digit + hop) % levels, digit)
            gain = sum(fields[k, new[k]] - fields[k, digit[k]] for k in np.flatnonzero(inside))
            p, take = inside.mean() / (levels - 1), min(1, np.exp(BETA * gain))
            yield new, p * take
            yield digit, p * (1 - take)


def sw_moves(digit, member, count, fields, levels, potts):
    for choice in product(range(levels), repeat=count):
        hop = np.array(choice)[member]
        new = hop if potts else (digit + hop) % 2
        p = 1.0
        for c in range(count):
            inside = np.flatnonzero(member == c)
            options = [sum(fields[k, v if potts else (digit[k] + v) % 2] for k in inside) for v in range(levels)]
            weights = np.exp(BETA * np.array(options))
            p *= weights[choice[c]] / weights.sum()
        if potts and any(len(set(digit[member == c])) > 1 for c in range(count)):
            raise AssertionError("a cluster joins unlike values")
        yield new, p


TINY = {
    "triangle": Pairwise(graphs.complete(3), [1.0, -0.8, 0.6], [0.3, -0.2, 0.1]),
    "bits": Pairwise(graphs.chain(3), [1.5, -1.0], [0.3, -0.4, 0.2], Binary(3)),
    "potts": Potts(graphs.chain(3), 3, [1.0, 0.6], np.arange(9.0).reshape(3, 3) / 9),
}


def tiny_combinations():
    for name in TINY:
        kernels = SINGLE + [GIBBS["blocks"]] + ([] if name == "potts" else [METROPOLIS["blocks"]])
        for kernel in kernels + ([] if name == "bits" else CLUSTER):
            yield pytest.param(name, kernel, id=f"{name}-{label(kernel)}")


@pytest.mark.parametrize(("name", "kernel"), list(tiny_combinations()))
def test_the_written_out_matrix_is_stationary_and_is_what_the_kernel_does(name, kernel):
    model = TINY[name]
    target = enumerate_states(model)
    cluster = isinstance(kernel, SwendsenWang | Wolff)
    matrix = cluster_matrix(kernel, model) if cluster else sweep_matrix(kernel, model, target.energies)
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(target.p @ matrix, target.p, atol=1e-12)
    states, each = len(target.p), 8192
    x = tuple(jnp.repeat(layer, each, axis=0) for layer in target.states)
    keys = jax.random.split(jax.random.key(3), states * each)
    moved, _ = run(kernel, model, x, jnp.asarray(BETA, jnp.float32), keys, 1)
    rows = [empirical(tuple(a[i * each : (i + 1) * each] for a in moved), model.units) for i in range(states)]
    assert p_of_rows(rows, matrix) > RIGHT
    assert p_of_rows(rows, np.roll(matrix, 1, axis=1)) < WRONG


def p_of_rows(rows, matrix):
    """One p-value for all rows; a row with a certain outcome must have it."""
    total, dof = 0.0, 0
    for row, p in zip(rows, matrix, strict=True):
        if p.max() > 1 - 1e-9:
            if row[p.argmax()] < row.sum():
                return 0.0
        else:
            test = chi_square(row, np.where(p < 1e-12, 0, p))
            total, dof = total + test.statistic, dof + test.dof
    return stats.chi2.sf(total, dof)


@pytest.mark.quick
def test_a_step_by_blocks_is_the_same_as_its_part_of_many_steps(key):
    model = MODELS["lattice"]
    x = random_state(model, key=key)
    kernel = METROPOLIS["blocks"]
    many, info = eqx.filter_jit(kernel.steps)(model, x, beta=BETA, key=key, first=3, count=2)
    accepted = []
    for t in (3, 4):
        x, one = eqx.filter_jit(kernel.step)(model, x, beta=BETA, key=jax.random.fold_in(key, t))
        accepted.append(float(one.accepted))
    np.testing.assert_array_equal(many[0], x[0])
    assert float(info.accepted) == pytest.approx(np.mean(accepted), rel=1e-5)


@pytest.mark.quick
def test_acceptance_is_the_mean_of_min_1_exp_minus_beta_dE(key):
    """One spin in a field h: from the high state exp(-2 beta h), from the low one 1."""
    model = Pairwise(graphs.from_edges([], n=1), fields=0.7)
    _, info = METROPOLIS["sequential"].step(model, (jnp.ones(1),), beta=1.3, key=key)
    assert float(info.accepted) == pytest.approx(np.exp(-2 * 1.3 * 0.7), rel=1e-5)
    _, info = METROPOLIS["blocks"].step(model, (-jnp.ones(1),), beta=1.3, key=key)
    assert float(info.accepted) == 1.0


@pytest.mark.quick
@pytest.mark.parametrize("model", [IsingLattice((6, 10), [1.0, -1.0]), IsingLattice((3, 4, 5), periodic=False)])
def test_clusters_at_low_temperature_are_the_components_of_satisfied_bonds(model, key):
    x = random_state(model, key=key)
    s, (i, j) = np.asarray(x[0]).ravel(), model.edges.T
    satisfied = np.asarray(model.couplings) * s[i] * s[j] > 0
    graph = sparse.coo_matrix((np.ones(satisfied.sum()), (i[satisfied], j[satisfied])), shape=(s.size, s.size))
    _, member = connected_components(graph, directed=False)
    lowest = np.array([np.flatnonzero(member == c)[0] for c in member])
    find = eqx.filter_jit(clusters)
    np.testing.assert_array_equal(find(model, x, beta=50.0, key=key), lowest)
    flat = Pairwise(graphs.from_edges(model.edges), np.asarray(model.couplings)[lexical(model.edges)])
    np.testing.assert_array_equal(find(flat, (x[0].ravel(),), beta=50.0, key=key), lowest)


def lexical(edges):
    low, high = np.sort(edges, axis=1).T
    return np.lexsort((high, low))


def test_cluster_sizes_say_how_much_moved(key):
    model = IsingLattice((8, 8))
    up = (jnp.ones((8, 8)),)
    wolff, both = eqx.filter_jit(Wolff().step), eqx.filter_jit(SwendsenWang().step)
    x, info = wolff(model, up, beta=jnp.asarray(50.0), key=key)
    assert float(info.size) == 1
    assert (x[0] == -1).all()
    x, info = wolff(model, up, beta=jnp.asarray(0.0), key=key)
    assert float(info.size) == pytest.approx(1 / 64)
    assert (x[0] == -1).sum() == 1
    _, info = both(model, up, beta=jnp.asarray(0.0), key=key)
    assert float(info.size) == pytest.approx(1 / 64)


def test_the_mean_cluster_share_is_the_squared_magnetisation():
    """4x4 at beta_c: <m^2> by enumeration; Swendsen-Wang's size estimates it with less noise."""
    model = IsingLattice((4, 4))
    beta = float(np.log(1 + np.sqrt(2)) / 2)
    target = enumerate_states(model, beta)
    exact = target.p @ (np.asarray(target.states[0]).mean((1, 2)) ** 2)
    start = np.random.default_rng(5).choice(len(target.p), 20000, p=target.p)
    keys = jax.random.split(jax.random.key(5), 20000)
    _, info = run(SwendsenWang(), model, (target.states[0][start],), jnp.asarray(beta), keys, 1)
    size = np.asarray(info.size, np.float64)
    assert abs(size.mean() - exact) < 4.5 * size.std() / np.sqrt(size.size)


def test_kernels_keep_float32_states_inside_a_float64_context(x64, key):
    keys = jax.random.split(key, 2)
    for name, kernel in [("pairwise", METROPOLIS["random"]), ("lattice", METROPOLIS["blocks"]), ("potts", Wolff())]:
        x = random_state(MODELS[name], key=key)
        new, _ = run(kernel, MODELS[name], tuple(jnp.stack([a, a]) for a in x), jnp.asarray(BETA), keys, 2)
        assert [a.dtype for a in new] == [a.dtype for a in x]
    for kernel in (MALA(0.1), HMC(0.1, 3), NUTS(0.1)):
        x = random_state(Harmonic(2), key=key)
        new, _ = run(kernel, Harmonic(2), tuple(jnp.stack([a, a]) for a in x), jnp.asarray(BETA), keys, 2)
        assert [a.dtype for a in new] == [jnp.float32]


class Mixed(AbstractEnergy):
    units = (Gaussian(2), Spin(2))

    def energy(self, x):
        return (x[0] ** 2).sum() / 2 - x[0] @ x[1]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("kernel", "model", "error", "says"),
    [
        (Wolff(), ThreeSpin(1.0), TypeError, "list of bonds"),
        (SwendsenWang(), MODELS["bits"], TypeError, "to_spin"),
        (Wolff(), Potts(graphs.ring(4), 3, -1.0), ValueError, "J >= 0"),
        (SwendsenWang(), LongRange(), ValueError, "wrong model"),
        (METROPOLIS["blocks"], ThreeSpin(1.0), TypeError, "has none"),
        (METROPOLIS["blocks"], MODELS["potts"], TypeError, "Spin or Binary"),
        (Metropolis(), Mixed(), TypeError, "one kind"),
        *((k, MODELS["pairwise"], TypeError, "Gaussian units") for k in (ULA(0.1), MALA(0.1), HMC(0.1, 5), NUTS(0.1))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_kernel_that_does_not_fit_says_so(kernel, model, error, says):
    with pytest.raises(error, match=says):
        kernel.check(model)


@pytest.mark.quick
def test_good_fits_pass_the_check():
    for name, kernels in KERNELS.items():
        for kernel in kernels:
            kernel.check(MODELS[name])


@pytest.mark.quick
@pytest.mark.parametrize(
    "make",
    [
        lambda: Metropolis(step=0.0),
        lambda: Metropolis(step=np.nan),
        lambda: Metropolis(scan="diagonal"),
        lambda: ULA(-0.1),
        lambda: MALA(np.inf),
        lambda: HMC(0.1, 0),
        lambda: NUTS(0.1, doublings=0),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()


@pytest.mark.quick
def test_bad_proposals_are_refused(key):
    x = (jnp.ones(5),)
    for proposal, says in [
        (lambda x, key: (x[0], 0.0), "shapes"),
        (lambda x, key: ((x[0][:2],), 0.0), "shapes"),
        (lambda x, key: (x, jnp.zeros(3)), "log_ratio"),
    ]:
        with pytest.raises(ValueError, match=says):
            Metropolis(proposal=proposal).step(MODELS["student"], x, beta=1.0, key=key)
    with pytest.raises(TypeError, match="function"):
        Metropolis(proposal=3)
    with pytest.raises(TypeError, match="whole number"):
        HMC(0.1, 2.5)


@pytest.mark.quick
def test_metropolis_in_order_may_never_reach_the_law_and_random_does():
    """A closed ring without field: by blocks the chain stays in its class, as the docstring says."""
    ring = IsingLattice(8)
    exact = float(thermodynamics(ring, beta=0.7).energy)
    for scan, reaches in (("random", True), ("blocks", False)):
        run = sample(
            Metropolis(scan=scan),
            ring,
            key=jax.random.key(2),
            chains=2000,
            steps=40,
            warmup=60,
            beta=0.7,
            keep=ring.energy,
        )
        means = np.asarray(run.values, float).mean(1)
        error = means.std(ddof=1) / np.sqrt(len(means))
        assert (abs(means.mean() - exact) < 4 * error) == reaches
