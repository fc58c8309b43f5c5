"""Energies: what a model is."""

from typing import TYPE_CHECKING

from ebmlab._later import later
from ebmlab.energies.base import AbstractConditional as AbstractConditional
from ebmlab.energies.base import AbstractEnergy as AbstractEnergy
from ebmlab.energies.base import check_model as check_model
from ebmlab.energies.lattice import IsingLattice as IsingLattice
from ebmlab.energies.pairwise import DensePairwise as DensePairwise
from ebmlab.energies.pairwise import Pairwise as Pairwise
from ebmlab.energies.potentials import DoubleWell as DoubleWell
from ebmlab.energies.potentials import GaussianMixture as GaussianMixture
from ebmlab.energies.potentials import Harmonic as Harmonic
from ebmlab.energies.potentials import MuellerBrown as MuellerBrown
from ebmlab.energies.potts import Potts as Potts

if TYPE_CHECKING:
    from ebmlab.energies.clamped import Clamped as Clamped
    from ebmlab.energies.deep import DBM as DBM
    from ebmlab.energies.deep import random_dbm as random_dbm
    from ebmlab.energies.interpolated import Independent as Independent
    from ebmlab.energies.interpolated import Interpolated as Interpolated
    from ebmlab.energies.interpolated import independent as independent
    from ebmlab.energies.layered import AbstractLayered as AbstractLayered
    from ebmlab.energies.layered import AbstractRBM as AbstractRBM
    from ebmlab.energies.layered import AbstractSummable as AbstractSummable
    from ebmlab.energies.machine import BoltzmannMachine as BoltzmannMachine
    from ebmlab.energies.rbm import RBM as RBM
    from ebmlab.energies.rbm import CategoricalRBM as CategoricalRBM
    from ebmlab.energies.rbm import GaussianRBM as GaussianRBM
    from ebmlab.energies.rbm import random_rbm as random_rbm

_TABLE = {
    **dict.fromkeys(("Clamped",), "ebmlab.energies.clamped"),
    **dict.fromkeys(("DBM", "random_dbm"), "ebmlab.energies.deep"),
    **dict.fromkeys(("Independent", "Interpolated", "independent"), "ebmlab.energies.interpolated"),
    **dict.fromkeys(("AbstractLayered", "AbstractRBM", "AbstractSummable"), "ebmlab.energies.layered"),
    **dict.fromkeys(("BoltzmannMachine",), "ebmlab.energies.machine"),
    **dict.fromkeys(("RBM", "CategoricalRBM", "GaussianRBM", "random_rbm"), "ebmlab.energies.rbm"),
}

__getattr__, __dir__ = later(globals(), _TABLE)
