"""Energies: what a model is."""

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
