"""Graphs: who is coupled to whom, colourings, coupling ensembles."""

import jax
import numpy as np
import pytest

from ebmlab import graphs

pytestmark = pytest.mark.quick
KEY = jax.random.key(5)

EXPECTED = {  # graph: nodes, bonds, smallest and largest degree, two-colourable
    "ring": (graphs.ring(6), 6, 6, 2, 2, True),
    "odd ring": (graphs.ring(7), 7, 7, 2, 2, False),
    "chain": (graphs.chain(5), 5, 4, 1, 2, True),
    "one node": (graphs.chain(1), 1, 0, 0, 0, True),
    "square": (graphs.square(4), 16, 32, 4, 4, True),
    "odd square": (graphs.square(3, 4), 12, 24, 4, 4, False),
    "open square": (graphs.square(3, 5, periodic=False), 15, 22, 2, 4, True),
    "cubic": (graphs.cubic(4), 64, 192, 6, 6, True),
    "open cubic": (graphs.cubic(2, 3, 4, periodic=False), 24, 46, 3, 5, True),
    "triangular": (graphs.triangular(3, 4), 12, 36, 6, 6, False),
    "open triangular": (graphs.triangular(3, 4, periodic=False), 12, 23, 2, 6, False),
    "complete": (graphs.complete(6), 6, 15, 5, 5, False),
    "regular": (graphs.random_regular(12, 3, key=KEY), 12, 18, 3, 3, None),
    "none": (graphs.erdos_renyi(5, 0.0, key=KEY), 5, 0, 0, 0, True),
    "all": (graphs.erdos_renyi(5, 1.0, key=KEY), 5, 10, 4, 4, False),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_nodes_bonds_degrees_and_colours(name):
    graph, n, m, least, most, bipartite = EXPECTED[name]
    assert (graph.n, len(graph.edges), graph.degree.min(), graph.degree.max()) == (n, m, least, most)
    assert graph.edges.shape == (m, 2)
    assert (graph.edges[:, 0] < graph.edges[:, 1]).all()
    assert graph.edges.tolist() == sorted(map(list, {tuple(e) for e in graph.edges.tolist()}))
    assert (graph.adjacency == graph.adjacency.T).all()
    assert (graph.adjacency.sum(0) == graph.degree).all()
    assert graph.positions is None or graph.positions.shape == (n, 2)
    two = graphs.two_colouring(graph)
    assert bipartite is None or (two is not None) == bipartite
    for colour in (graphs.greedy_colouring(graph), graphs.colouring(graph), *([] if two is None else [two])):
        assert colour.shape == (n,)
        assert (colour[graph.edges[:, 0]] != colour[graph.edges[:, 1]]).all()
        assert set(colour.tolist()) == set(range(colour.max() + 1))
    assert two is None or graphs.colouring(graph).max() <= 1


@pytest.mark.parametrize("name", EXPECTED)
def test_neighbour_lists(name):
    graph = EXPECTED[name][0]
    index, bond, mask = graph.neighbours()
    for i in range(graph.n):
        near = index[i][mask[i]]
        assert sorted(near.tolist()) == np.flatnonzero(graph.adjacency[i]).tolist()
        for j, b in zip(near, bond[i][mask[i]], strict=True):
            assert sorted((i, j)) == graph.edges[b].tolist()


def test_lattice_neighbours_are_next_to_each_other():
    graph = graphs.square(4, 5)
    row, column = np.divmod(graph.edges, 5)
    down = (np.diff(row, axis=1) % 4).ravel()
    right = (np.diff(column, axis=1) % 5).ravel()
    assert (np.minimum(down, 4 - down) + np.minimum(right, 5 - right) == 1).all()
    assert graph.shape == (4, 5)


def test_random_graphs_follow_their_key_and_their_law():
    a, b = (graphs.erdos_renyi(60, 0.3, key=jax.random.key(k)) for k in (1, 2))
    assert a.edges.tolist() == graphs.erdos_renyi(60, 0.3, key=jax.random.key(1)).edges.tolist()
    assert a.edges.tolist() != b.edges.tolist()
    pairs = 60 * 59 / 2
    assert abs(len(a.edges) - 0.3 * pairs) < 5 * np.sqrt(pairs * 0.21)
    for degree in (0, 1, 4, 9):
        graph = graphs.random_regular(10, degree, key=jax.random.key(degree))
        assert (graph.degree == degree).all()


def test_from_edges_and_networkx():
    networkx = pytest.importorskip("networkx")
    graph = graphs.from_edges([(2, 0), (1, 2)])
    assert graph.edges.tolist() == [[0, 2], [1, 2]]
    assert graphs.from_edges([(0, 1)], n=4).n == 4
    assert graphs.from_networkx(networkx.cycle_graph(5)).edges.tolist() == graphs.ring(5).edges.tolist()
    with pytest.raises(ValueError, match="undirected"):
        graphs.from_networkx(networkx.DiGraph([(0, 1)]))


def test_coupling_ensembles():
    graph = graphs.complete(60)
    assert (graphs.ferromagnet(graph, 0.5) == 0.5).all()
    J = graphs.plus_minus(graph, key=KEY, p=0.8)
    assert set(J.tolist()) == {-1.0, 1.0}
    assert abs((J > 0).mean() - 0.8) < 5 * np.sqrt(0.16 / J.size)
    g = graphs.gaussian(graph, key=KEY, mean=0.5, scale=2.0)
    assert g.dtype == np.float64
    assert abs(g.mean() - 0.5) < 5 * 2 / np.sqrt(g.size)
    assert abs(g.std() - 2.0) < 5 * 2 / np.sqrt(2 * g.size)
    assert (graphs.gaussian(graph, key=KEY) == graphs.gaussian(graph, key=KEY)).all()
    assert (graphs.gaussian(graph, key=KEY) != graphs.gaussian(graph, key=jax.random.key(6))).any()


BAD = [
    (lambda: graphs.from_edges([(0, 0)]), "self-loop at node 0"),
    (lambda: graphs.from_edges([(0, 1), (1, 0)]), "repeated"),
    (lambda: graphs.from_edges([(0, 5)], n=3), "outside"),
    (lambda: graphs.from_edges([(-1, 1)], n=3), "outside"),
    (lambda: graphs.from_edges([(0, 1, 2)]), "pairs"),
    (lambda: graphs.from_edges([(0.5, 1.0)], n=2), "pairs"),
    (lambda: graphs.from_edges([]), "needs n"),
    (lambda: graphs.ring(2), "ring"),
    (lambda: graphs.chain(0), "nodes|chain"),
    (lambda: graphs.square(2), "at least 3"),
    (lambda: graphs.triangular(2, 3), "at least 3"),
    (lambda: graphs.erdos_renyi(5, 1.5, key=KEY), "probability"),
    (lambda: graphs.random_regular(5, 3, key=KEY), "even"),
    (lambda: graphs.random_regular(4, 4, key=KEY), "degree < n"),
    (lambda: graphs.plus_minus(graphs.ring(3), key=KEY, p=-0.1), "probability"),
    (lambda: graphs.gaussian(graphs.ring(3), key=KEY, scale=-1.0), "standard deviation"),
]


@pytest.mark.parametrize(("call", "match"), BAD)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()
