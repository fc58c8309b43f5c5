"""Ground states against enumeration, an independent tabu search, and matching of frustrated plaquettes."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ebmlab import exact, graphs
from ebmlab.energies import AbstractEnergy, DensePairwise, Harmonic, IsingLattice, Pairwise, Potts
from ebmlab.energies.base import random_state
from ebmlab.rugged import ground_state, ground_states, landscape, quench
from ebmlab.units import Binary, Spin

quick = pytest.mark.quick
KEY = jax.random.key(11)


class Triples(AbstractEnergy):
    """E(s) = -sum J_ijk s_i s_j s_k with no field of its own: local fields come from energy differences."""

    couplings: np.ndarray
    groups: np.ndarray
    units: tuple = eqx.field(static=True, default=(Spin(10),))

    def energy(self, x):
        return -(self.couplings * x[0][self.groups].prod(-1)).sum()


def triples():
    groups = np.array(list(itertools.combinations(range(10), 3)))
    return Triples(np.random.default_rng(2).normal(size=len(groups)), groups)


def sk(seed, n):
    J = np.triu(np.random.default_rng(seed).normal(size=(n, n)), 1) / np.sqrt(n)
    return DensePairwise(J + J.T)


def grid_glass(seed, shape, ensemble=graphs.plus_minus, periodic=False, fields=0.0):
    graph = graphs.grid(shape, periodic=periodic)
    return Pairwise(graph, ensemble(graph, key=jax.random.key(seed)), fields)


SMALL = {
    "SK": sk(0, 14),
    "glass 4x4": grid_glass(0, (4, 4), periodic=True),
    "Gaussian glass in a field": grid_glass(1, (3, 5), graphs.gaussian, fields=0.2),
    "glass 2x2x3": grid_glass(2, (2, 2, 3)),
    "lattice": IsingLattice((4, 4), -1.0, 0.1),
    "bits": DensePairwise(sk(3, 12).matrix, 0.1, Binary(12)),
    "Potts": Potts(graphs.triangular(3, 3), 3, -1.0),
    "three-spin": triples(),
    "small numbers": DensePairwise(1e-7 * sk(4, 14).matrix),  # of the first one's shape: compiled once
    "large numbers": DensePairwise(1e7 * sk(4, 14).matrix),
    "flat": Pairwise(graphs.ring(6), 0.0),
}


SAME_KIND = ("Gaussian glass in a field", "glass 2x2x3")  # as the 4x4 glass: the default run anneals that one


# --- every state ----------------------------------------------------------------------------------------------------


@quick
@pytest.mark.parametrize(
    ("model", "energy", "count"),
    [
        (Pairwise(graphs.ring(3), -1.0), -1.0, 6),
        (Pairwise(graphs.ring(4), [1.0, 1.0, 1.0, -1.0]), -2.0, 8),
        (Pairwise(graphs.ring(7), -1.0), -5.0, 14),
        (Pairwise(graphs.ring(8), -1.0), -8.0, 2),
        (Pairwise(graphs.chain(5), 0.0), 0.0, 32),
        (Potts(graphs.ring(3), 3, -1.0), 0.0, 6),
        (Pairwise(graphs.chain(4), 1.0, 0.1), -3.4, 1),
    ],
)
def test_ground_states_that_can_be_counted_by_hand(model, energy, count):
    found = ground_states(model)
    assert found.energy == pytest.approx(energy)
    assert found.count == count == len(found.states[0])
    assert found.entropy == pytest.approx(np.log(count))
    with jax.enable_x64(True):
        again = [float(model.energy((np.asarray(s, model.units[0].dtype),))) for s in found.states[0]]
    np.testing.assert_allclose(again, energy)


@quick
@pytest.mark.parametrize("name", SMALL)
def test_ground_states_are_the_lowest_of_all_states(name):
    model = SMALL[name]
    found, levels = ground_states(model), exact.energies(model)
    lowest = np.flatnonzero(levels <= levels.min() + 1e-9 * np.abs(levels).max())
    assert found.count == lowest.size
    for layer, every in zip(found.states, exact.states(model), strict=True):
        np.testing.assert_array_equal(layer, every[lowest])


@quick
def test_few_of_many_ground_states_are_listed_and_all_are_counted():
    found = ground_states(Pairwise(graphs.chain(12), 0.0), most=5)
    assert found.states[0].shape == (5, 12)
    assert found.count == 4096


# --- descent --------------------------------------------------------------------------------------------------------


def starts(model, count=40):
    return jax.vmap(lambda key: random_state(model, key=key))(jax.random.split(KEY, count))


@pytest.mark.parametrize("name", SMALL)
def test_a_quenched_state_is_low_and_stays(name):
    model = SMALL[name]
    x = starts(model)
    end = jax.vmap(lambda x: quench(model, x))(x)
    again = jax.vmap(lambda x: quench(model, x))(end)
    for a, b, u in zip(end, again, model.units, strict=True):
        assert (a == b).all()
        assert a.dtype == u.dtype
    (values,) = {layer.values for layer in model.units}
    levels = exact.energies(model)
    shape = [len(values)] * sum(layer.size for layer in model.units)
    grid = levels.reshape(shape)
    scale = 1e-6 * np.abs(levels).max()

    def digits(x):
        flat = np.concatenate([np.asarray(layer).reshape(len(layer), -1) for layer in x], axis=1)
        return np.searchsorted(values, flat)

    for before, after in zip(digits(x), digits(end), strict=True):
        assert grid[tuple(after)] <= grid[tuple(before)] + scale
        for site in range(len(shape)):
            line = grid[(*after[:site], slice(None), *after[site + 1 :])]
            assert grid[tuple(after)] <= line.min() + scale


@quick
def test_the_descent_ends_in_the_minima_of_the_landscape():
    model = SMALL["SK"]
    minima = {tuple(s) for s in landscape(model).states[0].tolist()}
    end = jax.vmap(lambda x: quench(model, x))(starts(model, 300))
    reached = {tuple(s) for s in np.asarray(end[0]).astype(int).tolist()}
    assert reached <= minima
    assert len(reached) > 1


@quick
def test_a_descent_by_blocks_keeps_spins_at_a_tie():
    model = Pairwise(graphs.chain(3), [1.0, 1.0])
    middle_is_free = quench(model, (jnp.array([1.0, -1.0, -1.0]),))  # the first follows the second, and so on
    assert float(model.energy(middle_is_free)) == -2.0
    free = Pairwise(graphs.ring(4), 0.0)
    x = (jnp.array([1.0, -1.0, -1.0, 1.0]),)
    assert (quench(free, x)[0] == x[0]).all()


@quick
def test_quench_refuses_what_has_no_flips():
    with pytest.raises(TypeError, match="discrete"):
        quench(Harmonic(2, 1.0), (jnp.zeros(2),))
    with pytest.raises(ValueError, match="shape"):
        quench(SMALL["SK"], (jnp.ones(3),))
    with pytest.raises(TypeError, match="AbstractEnergy"):
        quench(3, (jnp.ones(3),))


# --- annealing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.sweep) if name in SAME_KIND else name for name in SMALL],
)
def test_annealing_finds_the_lowest_state_of_small_models(name):
    model = SMALL[name]
    found, known = ground_state(model, key=KEY, chains=32, sweeps=300), ground_states(model)
    assert found.energy == pytest.approx(known.energy, rel=1e-12, abs=1e-300)
    assert found.hits == (np.abs(found.energies - known.energy) <= 1e-9 * np.abs(found.energies).max()).sum() > 4
    assert found.chains == 32 == len(found.energies)
    match = [
        np.asarray(layer)[None] == states for layer, states in zip(found.state, known.states, strict=True)
    ]  # the state is one of them
    assert np.logical_and.reduce([m.reshape(len(m), -1).all(1) for m in match]).any()


def tabu(J, *, restarts=48, moves=4000, seed=0):
    """The lowest energy of one-flip tabu search: always the best flip that is not freshly made."""
    generator, n = np.random.default_rng(seed), len(J)
    s = generator.choice([-1.0, 1.0], (restarts, n))
    field = s @ J
    energy = -0.5 * (s * field).sum(1)
    lowest, free, rows = energy.copy(), np.zeros((restarts, n)), np.arange(restarts)
    for move in range(moves):
        cost = 2 * s * field
        forbidden = (free > move) & (energy[:, None] + cost >= lowest[:, None] - 1e-12)
        site = np.where(forbidden, np.inf, cost).argmin(1)
        energy += cost[rows, site]
        field -= 2 * s[rows, site][:, None] * J[site]
        s[rows, site] *= -1
        free[rows, site] = move + 10 + generator.integers(0, 10, restarts)
        lowest = np.minimum(lowest, energy)
    return lowest.min()


@pytest.mark.parametrize("seed", range(3))
def test_hundred_spins_of_the_sk_model_as_found_by_tabu_search(seed):
    model = sk(100 + seed, 100)
    found = ground_state(model, key=jax.random.key(seed))
    assert found.energy == pytest.approx(tabu(np.asarray(model.matrix)), rel=1e-9)
    s = np.asarray(found.state[0], np.float64)
    assert found.energy == pytest.approx(-0.5 * s @ np.asarray(model.matrix) @ s, rel=1e-12)
    assert found.hits >= 2


def matched_energy(shape, graph, couplings):
    """The exact ground state energy of an open planar grid: strings of broken bonds join frustrated plaquettes.

    E_0 = -sum |J| + 2 (least weight of the strings); a string may end outside. L. Bieche, R. Maynard, R. Rammal and
    J. P. Uhry, J. Phys. A 13, 2553 (1980).
    """
    rows, columns = shape
    outside = (rows - 1) * (columns - 1)
    cell = {(r, c): r * (columns - 1) + c for r in range(rows - 1) for c in range(columns - 1)}
    odd, crossings = np.zeros(outside + 1, bool), {}
    for (i, j), J in zip(graph.edges.tolist(), couplings, strict=True):
        (r, c), across = divmod(i, columns), j == i + 1
        sides = [cell.get(side, outside) for side in ([(r - 1, c), (r, c)] if across else [(r, c - 1), (r, c)])]
        odd[sides] ^= J < 0
        pair = tuple(sorted(sides))
        crossings[pair] = min(abs(J), crossings.get(pair, np.inf))
    (a, b), weight = np.array(list(crossings)).T, np.array(list(crossings.values()))
    length = dijkstra(coo_array((weight, (a, b)), shape=(outside + 1, outside + 1)).tocsr(), directed=False)
    ends = np.flatnonzero(odd)  # signs of the outer boundary are those of all plaquettes: their number is even
    assert len(ends) % 2 == 0
    every = networkx.Graph()
    every.add_weighted_edges_from((x, y, length[x, y]) for x, y in itertools.combinations(ends.tolist(), 2))
    pairs = networkx.min_weight_matching(every)
    return -np.abs(couplings).sum() + 2 * sum(length[x, y] for x, y in pairs)


@pytest.mark.parametrize("ensemble", [graphs.plus_minus, graphs.gaussian])
def test_the_matching_is_right_where_states_can_be_counted(ensemble):
    for seed in range(6):
        model = grid_glass(seed, (4, 4), ensemble)
        graph = graphs.square(4, periodic=False)
        assert matched_energy((4, 4), graph, np.asarray(model.couplings)) == pytest.approx(ground_states(model).energy)


@pytest.mark.parametrize(("ensemble", "side"), [(graphs.plus_minus, 10), (graphs.gaussian, 8)])
@pytest.mark.parametrize("seed", range(3))
def test_open_grids_as_found_by_matching(ensemble, side, seed):
    model, graph = grid_glass(seed, (side, side), ensemble), graphs.square(side, periodic=False)
    found = ground_state(model, key=KEY, sweeps=4000)
    assert found.energy == pytest.approx(matched_energy(graph.shape, graph, np.asarray(model.couplings)), rel=1e-9)
    assert found.hits >= 2


@quick
def test_the_same_key_gives_the_same_answer_and_bad_input_is_refused():
    model = SMALL["SK"]
    one, two = (ground_state(model, key=KEY, chains=4, sweeps=20) for _ in range(2))
    assert (one.state[0] == two.state[0]).all()
    assert (one.energies == two.energies).all()
    with pytest.raises(TypeError, match="discrete"):
        ground_state(Harmonic(2, 1.0), key=KEY)
    with pytest.raises(ValueError, match="sweeps"):
        ground_state(model, key=KEY, sweeps=0)
    with pytest.raises(TypeError, match="key"):
        ground_state(model, key=3)
    with pytest.raises(ValueError, match="limit"):
        ground_states(sk(0, 25))
    with pytest.raises(ValueError, match="most"):
        ground_states(model, most=0)
