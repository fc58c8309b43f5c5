"""Published and reference values, each computed by the library here.

A row: what, the library's value, the published value, relative tolerance (the printed digits), source, evidence.
Evidence C: computed independently when the reference page was written; S: read in the source; M: from memory.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from ebmlab import exact, graphs
from ebmlab.energies import IsingLattice, MuellerBrown, Pairwise, Potts
from ebmlab.exact import onsager, transfer

ONSAGER = "L. Onsager, Phys. Rev. 65, 117 (1944)"
YANG = "C. N. Yang, Phys. Rev. 85, 808 (1952)"
BEALE = "P. D. Beale, Phys. Rev. Lett. 76, 78 (1996)"
TOULOUSE = "G. Toulouse, Commun. Phys. 2, 115 (1977)"
BETA_C = math.log(1 + math.sqrt(2)) / 2


class Row(NamedTuple):
    what: str
    value: Callable[[], object]
    published: object
    tolerance: float
    source: str
    evidence: str


def small_lattice(quantity: str) -> float:
    """Energy, heat capacity, |m| and the Binder cumulant of the 4x4 torus at the infinite lattice's T_c."""
    model, n = IsingLattice((4, 4)), 16

    def powers(x):
        m = x[0].mean()
        return jnp.stack([jnp.abs(m), m**2, m**4])

    if quantity in ("u", "c"):
        found = exact.thermodynamics(model, beta=BETA_C)
        return float((found.energy if quantity == "u" else found.heat_capacity) / n)
    size, second, fourth = exact.expectation(model, powers, beta=BETA_C)
    return float(size if quantity == "m" else 1 - fourth / (3 * second**2))


def lowest_counts(side: int, number: int) -> list[tuple[int, int]]:
    levels = exact.density_of_states(IsingLattice((side, side)))
    return [(round(e), count) for e, count in zip(levels.energies[:number].tolist(), levels.counts, strict=False)]


def frustrated_square() -> tuple[float, int]:
    levels = exact.density_of_states(Pairwise(graphs.ring(4), [1.0, 1.0, 1.0, -1.0]))
    return float(levels.energies[0]), levels.counts[0]


def triangle(K: float) -> float:
    return float(np.exp(exact.log_partition(Pairwise(graphs.ring(3), -1.0), beta=K)))


def nishimori(K: float) -> float:
    """<E> per bond, averaged over all disorders of the 2x3 open lattice with p = 1 / (1 + exp(-2K))."""
    graph, p = graphs.square(2, 3, periodic=False), 1 / (1 + math.exp(-2 * K))
    bonds, total = len(graph.edges), 0.0
    for number in range(2**bonds):
        J = np.where((number >> np.arange(bonds)) & 1, 1.0, -1.0)
        chance = np.prod(np.where(J > 0, p, 1 - p))
        total += chance * exact.thermodynamics(Pairwise(graph, J), beta=K).energy
    return float(total / bonds)


T_C = onsager.critical_temperature
ROWS = [
    Row("T_c", T_C, 2.269185314, 1e-9, ONSAGER, "C"),
    Row("u at T_c", lambda: onsager.energy_per_site(beta=BETA_C), -math.sqrt(2), 1e-12, ONSAGER, "C"),
    Row("log Z / N at T_c", lambda: onsager.log_partition_per_site(beta=BETA_C), 0.9296953983, 1e-10, ONSAGER, "C"),
    Row("u, T = 1.5", lambda: onsager.energy_per_site(beta=1 / 1.5), -1.9511165731, 5e-11, ONSAGER, "C"),
    Row("m, T = 1.5", lambda: onsager.magnetisation(beta=1 / 1.5), 0.9864996026, 6e-11, YANG, "C"),
    Row("log Z / N, T = 1.5", lambda: onsager.log_partition_per_site(beta=1 / 1.5), 1.3389621236, 5e-11, ONSAGER, "C"),
    Row("u, T = 2", lambda: onsager.energy_per_site(beta=0.5), -1.7455645753, 5e-11, ONSAGER, "C"),
    Row("m, T = 2", lambda: onsager.magnetisation(beta=0.5), 0.9113193779, 6e-11, YANG, "C"),
    Row("log Z / N, T = 2", lambda: onsager.log_partition_per_site(beta=0.5), 1.0257928127, 5e-11, ONSAGER, "C"),
    Row(
        "4x4 levels",
        lambda: lowest_counts(4, 8),
        [(-32, 2), (-24, 32), (-20, 64), (-16, 424), (-12, 1728), (-8, 6688), (-4, 13568), (0, 20524)],
        0,
        BEALE,
        "C",
    ),
    Row(
        "6x6 levels",
        lambda: lowest_counts(6, 6),
        [(-72, 2), (-64, 72), (-60, 144), (-56, 1620), (-52, 6048), (-48, 35148)],
        0,
        BEALE,
        "C",
    ),
    Row("2x2 levels", lambda: lowest_counts(2, 3), [(-8, 2), (0, 12), (8, 2)], 0, "by hand", "C"),
    Row("4x4 E/N at T_c", lambda: small_lattice("u"), -1.5656237876, 5e-11, "enumeration", "C"),
    Row("4x4 C/N at T_c", lambda: small_lattice("c"), 0.7832668259, 1e-10, "enumeration", "C"),
    Row("4x4 <|m|> at T_c", lambda: small_lattice("m"), 0.8438604448, 1e-10, "enumeration", "C"),
    Row("4x4 U_4 at T_c", lambda: small_lattice("U4"), 0.6171993184, 1e-10, "enumeration", "C"),
    Row("frustrated plaquette", frustrated_square, (-2.0, 8), 0, TOULOUSE, "C"),
    Row(
        "antiferromagnetic triangle",
        lambda: triangle(0.8),
        6 * math.exp(0.8) + 2 * math.exp(-2.4),
        1e-12,
        "by hand",
        "C",
    ),
    Row(
        "Nishimori line",
        lambda: nishimori(0.6),
        -math.tanh(0.6),
        1e-12,
        "H. Nishimori, Prog. Theor. Phys. 66, 1169 (1981)",
        "C",
    ),
    Row(
        "ring with one broken bond",
        lambda: exact.log_partition(Pairwise(graphs.ring(9), [-1.0] + 8 * [1.0]), beta=0.7),
        math.log(2**9 * (math.cosh(0.7) ** 9 - math.sinh(0.7) ** 9)),
        1e-12,
        "closed form",
        "C",
    ),
    Row(
        "Mueller-Brown minima",
        lambda: [
            round(float(MuellerBrown(1.0).energy((jnp.array(point),))), 1)
            for point in ((-0.558, 1.442), (0.623, 0.028), (-0.050, 0.467))
        ],
        [-146.7, -108.2, -80.8],
        0,
        "K. Mueller and L. D. Brown, Theor. Chim. Acta 53, 75 (1979)",
        "C",
    ),
]


@pytest.mark.quick
@pytest.mark.parametrize("row", ROWS, ids=[row.what for row in ROWS])
def test_published(row):
    assert row.evidence in "CSM"
    assert row.source
    found = row.value()
    if row.tolerance:
        np.testing.assert_allclose(found, row.published, rtol=row.tolerance)
    else:
        assert found == row.published


@pytest.mark.quick
def test_mattis_gauge_changes_nothing_but_the_ground_state():
    """D. C. Mattis, Phys. Lett. A 56, 421 (1976): Z[J xi_i xi_j] = Z[J] (C)."""
    graph, rng = graphs.square(3, 4, periodic=False), np.random.default_rng(0)
    xi = rng.choice([-1.0, 1.0], graph.n)
    mattis = Pairwise(graph, np.prod(xi[graph.edges], axis=1))
    beta = np.array([0.3, 1.0, 4.0])
    plain = exact.log_partition(Pairwise(graph, 1.0), beta=beta)
    np.testing.assert_allclose(exact.log_partition(mattis, beta=beta), plain, rtol=1e-13)
    x = exact.boltzmann(mattis, beta=1.0)
    best = {tuple(s.tolist()) for s in x.states[0][x.energies < x.energies.min() + 1e-9]}
    assert best == {tuple(xi.astype(int).tolist()), tuple((-xi).astype(int).tolist())}


@pytest.mark.quick
def test_potts_with_two_levels_is_ising():
    """J_Potts = 2 J up to the constant sum of J; the square lattice's T_c = 1 / log(1 + sqrt q) agrees at q = 2 (C)."""
    graph = graphs.square(3, 3)
    potts = exact.log_partition(Potts(graph, 2, 2.0), beta=0.4)
    np.testing.assert_allclose(potts, exact.log_partition(Pairwise(graph), beta=0.4) + 0.4 * 18, rtol=1e-12)
    np.testing.assert_allclose(2 / math.log(1 + math.sqrt(2)), onsager.critical_temperature(), rtol=1e-15)


@pytest.mark.quick
def test_kramers_wannier_duality():
    """log Z/N(K) - log Z/N(K*) = log(sinh 2K), sinh 2K sinh 2K* = 1 (H. A. Kramers, G. H. Wannier 1941) (C)."""
    K = np.array([0.1, 0.3, 0.42])
    dual = 0.5 * np.arcsinh(1 / np.sinh(2 * K))
    left = onsager.log_partition_per_site(beta=dual) - onsager.log_partition_per_site(beta=K)
    np.testing.assert_allclose(left, np.log(np.sinh(2 * dual)), rtol=1e-11)


@pytest.mark.quick
def test_strips_and_tori_at_the_published_size():
    """The 64x64 torus lies within its finite-size correction of Onsager's energy at T = 2.0 and 2.6 (C)."""
    beta = 1 / np.array([2.0, 2.6])
    finite = onsager.torus((64, 64), beta=beta).energy / 64**2
    np.testing.assert_allclose(finite, onsager.energy_per_site(beta=beta), rtol=1e-6)
    ring = transfer.infinite_strip(2, (1.0, 0.0), beta=0.7)
    np.testing.assert_allclose(ring.log_z, math.log(2 * math.cosh(0.7)), rtol=1e-13)
