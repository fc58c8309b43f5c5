"""Plaquettes, frustration and gauge transformations."""

import time
from itertools import product

import jax
import numpy as np
import pytest

from ebmlab import exact, graphs
from ebmlab.energies import DensePairwise, IsingLattice, Pairwise, Potts
from ebmlab.energies.frustration import balancing_gauge, frustrated, gauge, plaquettes
from ebmlab.energies.glasses import edwards_anderson, mattis, sherrington_kirkpatrick
from ebmlab.units import Binary

pytestmark = pytest.mark.quick
KEY = jax.random.key(4)

LATTICES = {  # graph, number of plaquettes, their length
    "torus": (graphs.square(4, 5), 20, 4),
    "torus of 3": (graphs.square(3), 9, 4),
    "open square": (graphs.square(3, 5, periodic=False), 2 * 4, 4),
    "two rows": (graphs.square(2, 4, periodic=False), 3, 4),
    "periodic cube": (graphs.cubic(3, 4, 5), 3 * 60, 4),
    "open cube": (graphs.cubic(2, 3, 4, periodic=False), 29, 4),
    "triangular torus": (graphs.triangular(3, 4), 24, 3),
    "open triangular": (graphs.triangular(3, 4, periodic=False), 12, 3),
    "complete": (graphs.complete(6), 20, 3),
    "ring": (graphs.ring(7), 1, 7),
    "chain": (graphs.chain(4), 0, 0),
    "four dimensions": (graphs.grid((3, 3, 4, 3)), 6 * 108, 4),
    "open, four dimensions": (graphs.grid((2, 3, 2, 2), periodic=False), 42, 4),
    "two triangles": (graphs.from_edges([(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5)]), 2, 3),
}


@pytest.mark.parametrize("name", LATTICES)
@pytest.mark.parametrize("known", [True, False], ids=["shape known", "shape found"])
def test_plaquettes_are_the_elementary_cycles(name, known):
    graph, count, length = LATTICES[name]
    cycles = plaquettes(graph if known else graphs.Graph(graph.n, graph.edges))
    assert cycles.shape == (count, length)
    bonds = set(map(tuple, graph.edges.tolist()))
    for cycle in cycles.tolist():
        assert len(set(cycle)) == length
        steps = zip(cycle, cycle[1:] + cycle[:1], strict=True)
        assert all((min(e), max(e)) in bonds for e in steps)
    assert len({tuple(sorted(cycle)) for cycle in cycles.tolist()}) == count


def test_other_graphs_have_a_basis_of_cycles():
    """m - n + 1 cycles, independent over the field of two elements."""
    graph = graphs.random_regular(20, 3, key=KEY)
    cycles = plaquettes(graph)
    number = {edge: k for k, edge in enumerate(map(tuple, graph.edges.tolist()))}
    rows = np.zeros((len(cycles), 30), int)
    for row, cycle in zip(rows, cycles, strict=True):
        for i, j in zip(cycle.tolist(), np.roll(cycle, -1).tolist(), strict=True):
            row[number[min(i, j), max(i, j)]] += 1
    assert len(cycles) == 11
    assert rows.max() == 1
    rank = 0
    for column in range(30):
        pivot = [k for k in range(rank, 11) if rows[k, column]]
        if pivot:
            rows[[rank, pivot[0]]] = rows[[pivot[0], rank]]
            others = [k for k in range(11) if k != rank and rows[k, column]]
            rows[others] ^= rows[rank]
            rank += 1
    assert rank == 11


@pytest.mark.parametrize("signs", list(product((1.0, -1.0), repeat=4)))
def test_a_square_is_frustrated_if_its_product_is_negative(signs):
    """Then the lowest energy is -2, with 8 ground states; else -4 with 2."""
    model = Pairwise(graphs.ring(4), np.array(signs))
    energies = exact.energies(model)
    (answer,) = frustrated(model)
    assert answer == (np.prod(signs) < 0)
    assert (energies.min(), (energies == energies.min()).sum()) == ((-2, 8) if answer else (-4, 2))


def test_the_antiferromagnetic_triangle():
    """Z = 6 e^K + 2 e^-3K."""
    model = Pairwise(graphs.complete(3), -1.0)
    assert frustrated(model).tolist() == [True]
    assert balancing_gauge(model) is None
    assert exact.log_partition(model, beta=0.8) == pytest.approx(np.log(6 * np.exp(0.8) + 2 * np.exp(-2.4)), rel=1e-13)
    lattice = Pairwise(graphs.triangular(4, 4), -1.0)
    assert frustrated(lattice).all()
    assert len(frustrated(lattice)) == 32


def test_frustration_of_a_lattice_by_hand():
    model = edwards_anderson((4, 5), key=KEY, periodic=False)
    J = {tuple(e): c for e, c in zip(model.edges.tolist(), model.couplings, strict=True)}
    wanted = []
    for row, column in product(range(3), range(4)):
        i = 5 * row + column
        wanted.append(J[i, i + 1] * J[i + 1, i + 6] * J[i + 5, i + 6] * J[i, i + 5] < 0)
    assert frustrated(model).tolist() == wanted
    assert 0 < sum(wanted) < 12


def test_other_models_answer_as_well():
    dense = sherrington_kirkpatrick(6, key=KEY)
    J = np.asarray(dense.matrix)
    wanted = [J[a, b] * J[b, c] * J[a, c] < 0 for a, b, c in plaquettes(graphs.complete(6))]
    assert frustrated(dense).tolist() == wanted
    assert not frustrated(IsingLattice((3, 4), -1.0, periodic=False)).any()
    assert frustrated(Pairwise(graphs.ring(5), -1.0)).tolist() == [True]
    cycles = [np.array([0, 1, 2]), np.array([0, 1, 2, 3])]
    assert frustrated(DensePairwise(-1 + np.eye(4)), cycles).tolist() == [True, False]
    assert frustrated(Pairwise(graphs.ring(4), [1.0, 0.0, -1.0, 1.0])).tolist() == [False]


@pytest.mark.parametrize(
    "model",
    [
        edwards_anderson((3, 4), key=KEY, kind="gaussian", fields=np.linspace(-1, 1, 12)),
        sherrington_kirkpatrick(9, key=KEY, fields=0.3),
    ],
    ids=["sparse", "dense"],
)
def test_a_gauge_changes_the_names_of_the_states_only(model):
    n = model.units[0].size
    t = np.random.default_rng(0).choice((-1, 1), n)
    turned = gauge(model, t)
    assert type(turned) is type(model)
    s = np.asarray(exact.states(model)[0])
    index = ((t * s + 1) // 2) @ (2 ** np.arange(n)[::-1])
    np.testing.assert_allclose(exact.energies(turned)[index], exact.energies(model), atol=1e-12)
    np.testing.assert_array_equal(frustrated(turned), frustrated(model))
    back = gauge(turned, t)
    np.testing.assert_array_equal(back.couplings, model.couplings)
    np.testing.assert_array_equal(back.fields, model.fields)


@pytest.mark.parametrize("graph", [graphs.square(4), graphs.triangular(3, 4), graphs.random_regular(12, 3, key=KEY)])
def test_a_mattis_glass_is_balanced_by_its_pattern(graph):
    xi = np.random.default_rng(3).choice((-1, 1), graph.n)
    model = mattis(graph, xi, np.random.default_rng(4).random(len(graph.edges)))
    signs = balancing_gauge(model)
    np.testing.assert_array_equal(signs, xi * xi[0])
    assert (np.asarray(gauge(model, signs).couplings) >= 0).all()
    assert not frustrated(model).any()


def test_balance_means_a_state_that_satisfies_all_bonds():
    """Over all 2^8 sign patterns of an open 2x3 grid with a diagonal bond of 0 added."""
    graph = graphs.from_edges([*graphs.square(2, 3, periodic=False).edges.tolist(), (0, 4)])
    for signs in product((1.0, -1.0), repeat=7):
        couplings = np.insert(np.array(signs), 2, 0.0)  # edges (0,1) (0,3) (0,4) ...
        model = Pairwise(graph, couplings)
        balanced = exact.energies(model).min() == -7
        assert (balancing_gauge(model) is not None) == balanced


def test_a_loop_round_the_torus_counts_for_balance():
    """One row of bonds turned: no plaquette is frustrated, but no gauge removes it."""
    graph = graphs.square(4)
    row, column = np.divmod(graph.edges, 4)
    seam = (column[:, 0] == 0) & (column[:, 1] == 3) & (row[:, 0] == row[:, 1])
    model = Pairwise(graph, np.where(seam, -1.0, 1.0))
    assert not frustrated(model).any()
    assert balancing_gauge(model) is None


def test_the_sides_of_a_large_lattice_are_found_at_once():
    graph = graphs.cubic(20)
    begin = time.process_time()
    assert len(plaquettes(graphs.Graph(graph.n, graph.edges))) == 3 * 8000
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plaquettes(4), TypeError, "Graph"),
        (lambda: plaquettes(graphs.complete(300)), ValueError, "triangles"),
        (lambda: frustrated(Potts(graphs.ring(4), 3)), TypeError, "spins"),
        (lambda: frustrated(Pairwise(graphs.ring(4), units=Binary(4))), TypeError, "Pairwise of Binary units"),
        (lambda: frustrated(Pairwise(graphs.ring(4)), [[0, 1]]), ValueError, "at least three nodes"),
        (lambda: frustrated(Pairwise(graphs.ring(4)), [0, 1, 2]), ValueError, "at least three nodes"),
        (lambda: frustrated(Pairwise(graphs.ring(4)), np.array([[0, 1]])), ValueError, "at least three nodes"),
        (lambda: frustrated(Pairwise(graphs.ring(4)), np.array([0, 1, 2, 3])), ValueError, "at least three nodes"),
        (lambda: frustrated(Pairwise(graphs.ring(4)), [[0, 1, 2]]), ValueError, "does not have"),
        (lambda: gauge(IsingLattice((3, 3)), np.ones(9)), TypeError, "Pairwise or DensePairwise"),
        (lambda: gauge(Pairwise(graphs.ring(4)), [1, 1, 0, 1]), ValueError, r"entry \[2\] is 0"),
        (lambda: gauge(Pairwise(graphs.ring(4)), (np.ones(4), np.ones(4))), ValueError, "one layer"),
        (lambda: jax.jit(lambda t: gauge(Pairwise(graphs.ring(4)), t).fields)(np.ones(4)), TypeError, "outside jit"),
        (lambda: gauge(Pairwise(graphs.ring(4), units=Binary(4)), np.ones(4)), TypeError, "of Binary units"),
        (lambda: gauge(Pairwise(graphs.ring(4)), [1, 1, 1]), ValueError, r"shape \(4,\)"),
        (lambda: balancing_gauge(Pairwise(graphs.ring(4), units=Binary(4))), TypeError, "spins"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
