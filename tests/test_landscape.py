"""Minima, basins and passes against a second way to find them: plain searches, state by state."""

import itertools
from collections import deque

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import exact, graphs
from ebmlab.energies import AbstractEnergy, DensePairwise, IsingLattice, Pairwise, Potts
from ebmlab.rugged import landscape
from ebmlab.units import Binary, Gaussian, Spin

quick = pytest.mark.quick


class Table(AbstractEnergy):
    """Any energies at all: E of state number k is table[k]."""

    table: np.ndarray
    units: tuple = eqx.field(static=True)

    def energy(self, x):
        flat = jnp.concatenate([layer.ravel() for layer in x])
        digits = (flat > 0).astype(jnp.int32)
        return jnp.asarray(self.table)[(digits * 2 ** np.arange(digits.size)[::-1]).sum()]


def table(seed, n, levels=None, units=None):
    generator = np.random.default_rng(seed)
    found = generator.normal(size=2**n) if levels is None else generator.integers(levels, size=2**n) * 0.1
    return Table(np.asarray(found, np.float64), (Spin(n),) if units is None else units)


def glass(seed, n):
    J = np.triu(np.random.default_rng(seed).normal(size=(n, n)), 1) / np.sqrt(n)
    return DensePairwise(J + J.T)


def grid_glass(seed, shape, periodic=False):
    graph = graphs.grid(shape, periodic=periodic)
    return Pairwise(graph, graphs.plus_minus(graph, key=jax.random.key(seed)))


MODELS = {
    "SK": glass(0, 9),
    "SK again": glass(1, 8),
    "glass 3x3": grid_glass(0, (3, 3), True),
    "open glass 2x4": grid_glass(1, (2, 4)),
    "glass 2x2x2": grid_glass(5, (2, 2, 2)),
    "ferromagnet": IsingLattice((3, 3)),
    "antiferromagnetic triangles": Pairwise(graphs.triangular(3, 3), -1.0),
    "field only": Pairwise(graphs.chain(6), 0.0, np.linspace(0.1, 1, 6)),
    "flat": DensePairwise(np.zeros((7, 7))),
    "ring with a field": Pairwise(graphs.ring(7), 1.0, 0.3),
    "bits": DensePairwise(glass(3, 8).matrix, 0.2, Binary(8)),
    "random energies": table(0, 8),
    "few levels": table(1, 8, 3),
    "more levels": table(2, 9, 6),
    "two layers": table(3, 8, 5, (Spin((2, 2)), Binary(4))),
    "one spin": Pairwise(graphs.chain(1), fields=1.0),
}


def neighbours(x, n):
    return [x ^ (1 << (n - 1 - site)) for site in range(n)]


def plateau(x, rank, n):
    seen, queue = {x}, deque([x])
    while queue:
        for y in neighbours(queue.popleft(), n):
            if rank[y] == rank[x] and y not in seen:
                seen.add(y)
                queue.append(y)
    return seen


def searched(rank, n):
    """The minima as sets of states, lowest first, by flooding every plateau."""
    found, done = [], set()
    for x in sorted(range(2**n), key=lambda x: (rank[x], x)):
        if x in done:
            continue
        flat = plateau(x, rank, n)
        done |= flat
        if all(rank[y] >= rank[x] for s in flat for y in neighbours(s, n)):
            found.append(flat)
    return found


def highest(rank, n, start, goal):
    """The lowest possible highest rank from start to goal: search with a rising lid."""
    for lid in sorted(set(rank)):
        if lid < max(rank[start], rank[goal]):
            continue
        seen, queue = {start}, deque([start])
        while queue:
            for y in neighbours(queue.popleft(), n):
                if rank[y] <= lid and y not in seen:
                    seen.add(y)
                    queue.append(y)
        if goal in seen:
            return lid
    raise AssertionError


@pytest.mark.parametrize("name", MODELS)
def test_minima_passes_and_basins_as_found_by_search(name):
    model = MODELS[name]
    found = landscape(model)
    levels = exact.energies(model)
    n = levels.size.bit_length() - 1
    rank = np.rint(levels * 1e8).astype(int).tolist()
    minima = searched(rank, n)
    assert len(minima) == len(found.energies)
    np.testing.assert_allclose(found.energies, [levels[min(s)] for s in minima], atol=1e-12)
    assert found.degeneracy.tolist() == [len(s) for s in minima]
    every = exact.states(model)
    for layer, all_of_it in zip(found.states, every, strict=True):
        np.testing.assert_array_equal(layer, all_of_it[[min(s) for s in minima]])
    np.testing.assert_array_equal(found.levels, levels)

    barriers = found.barriers
    some = list(itertools.combinations(range(len(minima)), 2))
    for a, b in [some[k] for k in np.random.default_rng(0).permutation(len(some))[:25]]:
        lid = highest(rank, n, min(minima[a]), min(minima[b]))
        assert np.rint(barriers[a, b] * 1e8) == lid
    assert (barriers == barriers.T).all()
    np.testing.assert_array_equal(np.diag(barriers), found.energies)

    check_basins(found, rank, n, minima)


def check_basins(found, rank, n, minima):
    assert found.basin_sizes.sum() == 2**n
    assert (np.bincount(found.basin) == found.basin_sizes).all()
    inside = {x: k for k, flat in enumerate(minima) for x in flat}
    far = {}  # steps to the exit of the plateau, for states of no minimum
    exits = deque()
    for x in range(2**n):
        if any(rank[y] < rank[x] for y in neighbours(x, n)):
            far[x] = 0
            exits.append(x)
    while exits:
        x = exits.popleft()
        for y in neighbours(x, n):
            if rank[y] == rank[x] and y not in far and y not in inside:
                far[y] = far[x] + 1
                exits.append(y)
    for x in range(2**n):
        if x in inside:
            assert found.basin[x] == inside[x]
        elif far[x] == 0:
            lowest = min(neighbours(x, n), key=lambda y: rank[y])  # of equals the first site
            assert found.basin[x] == found.basin[lowest]
        else:
            nearer = [y for y in neighbours(x, n) if rank[y] == rank[x] and far.get(y) == far[x] - 1]
            assert found.basin[x] == found.basin[nearer[0]]  # of equals the first site


@quick
def test_a_plateau_with_an_exit_is_no_minimum():
    energies = np.array([1.0, 1.0, 2.0, 0.0])  # 00 and 01 are level, 01 leads down to 11
    found = landscape(Table(energies, (Spin(2),)))
    assert found.energies.tolist() == [0.0]
    assert found.basin.tolist() == [0, 0, 0, 0]
    forked = np.array([1.0, 1.0, 1.0, 5.0, 1.0, 0.0, 0.5, 6.0])  # from 000 flips of all sites stay level, and
    assert landscape(Table(forked, (Spin(3),))).basin[0] == 0  # that of the first leads to 101, not to 110
    forked[[5, 6]] = 0.5, 0.0
    assert landscape(Table(forked, (Spin(3),))).basin.tolist()[:3] == [0, 1, 0]
    level = landscape(Table(np.array([1.0, 1.0, 2.0, 1.5]), (Spin(2),)))
    assert level.degeneracy.tolist() == [2]
    assert level.states[0].tolist() == [[-1, -1]]


@quick
def test_a_double_well_of_three_spins():
    found = landscape(Pairwise(graphs.ring(3)))
    assert found.energies.tolist() == [-3.0, -3.0]
    assert [tuple(merge) for merge in found.merges] == [(1.0, 0, 1)]
    assert found.barriers.tolist() == [[-3.0, 1.0], [1.0, -3.0]]
    assert found.basin_sizes.tolist() == [4, 4]
    assert found.states[0].tolist() == [[-1, -1, -1], [1, 1, 1]]


@quick
@pytest.mark.parametrize("n", [6, 9, 12])
def test_a_ring_flips_by_two_walls_that_wander(n):
    found = landscape(Pairwise(graphs.ring(n)))
    assert found.barriers[0, 1] - found.energies[0] == 4.0


@pytest.mark.parametrize("name", ["SK", "random energies", "more levels"])
def test_barriers_are_ultrametric_and_the_tree_tells_them(name):
    found = landscape(MODELS[name])
    b = found.barriers
    assert (b[:, None, :] <= np.maximum(b[:, :, None], b[None, :, :]) + 1e-12).all()
    heights = [merge.energy for merge in found.merges]
    assert heights == sorted(heights)
    assert len(heights) == len(found.energies) - 1
    assert all(merge.a < merge.b for merge in found.merges)
    np.testing.assert_allclose(sorted(heights), sorted(b[k, :k].min() for k in range(1, len(b))), atol=1e-12)


@quick
def test_the_tree_is_drawn_without_crossings():
    found = landscape(glass(0, 9))
    place, segments = found.branches()
    m = len(found.energies)
    assert sorted(place) == list(range(m))
    assert segments.shape == (3 * (m - 1), 2, 2)
    upright = segments[segments[:, 0, 0] == segments[:, 1, 0]]
    level = segments[segments[:, 0, 0] != segments[:, 1, 0]]
    assert (upright[:, 1, 1] >= upright[:, 0, 1]).all()
    assert (level[:, 0, 1] == level[:, 1, 1]).all()
    for (left, y), (right, _) in level:  # an upright line passes a level one only at its ends
        crossed = (upright[:, 0, 0] > left + 1e-9) & (upright[:, 0, 0] < right - 1e-9)
        assert not (crossed & (upright[:, 0, 1] < y - 1e-12) & (upright[:, 1, 1] > y + 1e-12)).any()


@quick
def test_one_minimum_has_a_tree_without_lines():
    found = landscape(MODELS["field only"])
    assert found.merges == []
    assert found.branches().segments.shape == (0, 2, 2)
    assert found.barriers.shape == (1, 1)


def test_sixteen_spins_of_random_energies_have_as_many_minima_as_they_should():
    n = 16
    found = landscape(table(9, n))
    expected = 2**n / (n + 1)  # each state is the lowest of n + 1
    spread = np.sqrt(2**n * (n - 1) / (2 * (n + 1) ** 2))  # P. Baldi, Y. Rinott and C. Stein (1989)
    assert abs(len(found.energies) - expected) < 5 * spread
    assert found.energies[0] == found.levels.min()
    assert len(found.merges) == len(found.energies) - 1


@quick
def test_bad_input_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match="two-valued"):
        landscape(Potts(graphs.ring(4), 3))
    with pytest.raises(TypeError, match="AbstractEnergy"):
        landscape("a landscape")
    with pytest.raises(ValueError, match="limit"):
        landscape(Pairwise(graphs.ring(23)))
    with pytest.raises(ValueError, match="finite"):
        landscape(Table(np.array([0.0, np.inf]), (Spin(1),)))
    with pytest.raises(TypeError, match="two-valued"):
        landscape(eqx.tree_at(lambda m: m.units, MODELS["one spin"], (Gaussian(1),)))
    many = landscape(table(4, 17))
    with pytest.raises(ValueError, match="merges"):
        _ = many.barriers
