"""ebmlab: energy-based models to teach and explore.

A model is an energy over units. A kernel moves a state one step. `sample` repeats it. `exact` says what it should
have given. See README.md beside this file for the architecture, and the folder `lessons` for the course.
"""

from typing import TYPE_CHECKING

from ebmlab import diagnostics as diagnostics
from ebmlab import exact as exact
from ebmlab import graphs as graphs
from ebmlab import kernels as kernels
from ebmlab._later import later
from ebmlab.energies import AbstractConditional as AbstractConditional
from ebmlab.energies import AbstractEnergy as AbstractEnergy
from ebmlab.energies import DensePairwise as DensePairwise
from ebmlab.energies import DoubleWell as DoubleWell
from ebmlab.energies import GaussianMixture as GaussianMixture
from ebmlab.energies import Harmonic as Harmonic
from ebmlab.energies import IsingLattice as IsingLattice
from ebmlab.energies import MuellerBrown as MuellerBrown
from ebmlab.energies import Pairwise as Pairwise
from ebmlab.energies import Potts as Potts
from ebmlab.energies import check_model as check_model
from ebmlab.energies.convert import to_binary as to_binary
from ebmlab.energies.convert import to_spin as to_spin
from ebmlab.energies.expanded import Expanded as Expanded
from ebmlab.energies.expanded import FlatHistogram as FlatHistogram
from ebmlab.energies.replicas import Tempered as Tempered
from ebmlab.exact import boltzmann as boltzmann
from ebmlab.exact import density as density
from ebmlab.exact import expectation as expectation
from ebmlab.exact import log_partition as log_partition
from ebmlab.exact import marginals as marginals
from ebmlab.exact import thermodynamics as thermodynamics
from ebmlab.kernels import HMC as HMC
from ebmlab.kernels import MALA as MALA
from ebmlab.kernels import NUTS as NUTS
from ebmlab.kernels import ULA as ULA
from ebmlab.kernels import AbstractKernel as AbstractKernel
from ebmlab.kernels import Cycle as Cycle
from ebmlab.kernels import Gibbs as Gibbs
from ebmlab.kernels import Houdayer as Houdayer
from ebmlab.kernels import Info as Info
from ebmlab.kernels import Metropolis as Metropolis
from ebmlab.kernels import ParallelTempering as ParallelTempering
from ebmlab.kernels import SimulatedTempering as SimulatedTempering
from ebmlab.kernels import SwendsenWang as SwendsenWang
from ebmlab.kernels import Wolff as Wolff
from ebmlab.sampling import Moments as Moments
from ebmlab.sampling import Samples as Samples
from ebmlab.sampling import sample as sample
from ebmlab.units import Binary as Binary
from ebmlab.units import Categorical as Categorical
from ebmlab.units import Gaussian as Gaussian
from ebmlab.units import Spin as Spin

if TYPE_CHECKING:
    from ebmlab import meanfield as meanfield
    from ebmlab import observables as observables
    from ebmlab import rugged as rugged
    from ebmlab.energies import DBM as DBM
    from ebmlab.energies import RBM as RBM
    from ebmlab.energies import BoltzmannMachine as BoltzmannMachine
    from ebmlab.energies import CategoricalRBM as CategoricalRBM
    from ebmlab.energies import Clamped as Clamped
    from ebmlab.energies import GaussianRBM as GaussianRBM
    from ebmlab.energies import Interpolated as Interpolated
    from ebmlab.energies import frustration as frustration
    from ebmlab.energies import glasses as glasses
    from ebmlab.energies import hopfield as hopfield

__version__ = "0.1.0"

_TABLE = {name: f"ebmlab.{name}" for name in ("meanfield", "observables", "rugged")}
_TABLE |= {name: f"ebmlab.energies.{name}" for name in ("frustration", "glasses", "hopfield")}
_TABLE |= dict.fromkeys(
    ("BoltzmannMachine", "CategoricalRBM", "Clamped", "DBM", "GaussianRBM", "Interpolated", "RBM"), "ebmlab.energies"
)

__getattr__, __dir__ = later(globals(), _TABLE)
