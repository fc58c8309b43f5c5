"""What sampling should have given: log Z, probabilities and moments without randomness."""

from ebmlab.exact import onsager as onsager
from ebmlab.exact import transfer as transfer
from ebmlab.exact.continuous import Density as Density
from ebmlab.exact.continuous import density as density
from ebmlab.exact.continuous import relative_entropy as relative_entropy
from ebmlab.exact.enumeration import Exact as Exact
from ebmlab.exact.enumeration import boltzmann as boltzmann
from ebmlab.exact.enumeration import energies as energies
from ebmlab.exact.enumeration import expectation as expectation
from ebmlab.exact.enumeration import states as states
from ebmlab.exact.levels import DensityOfStates as DensityOfStates
from ebmlab.exact.levels import density_of_states as density_of_states
from ebmlab.exact.partition import log_partition as log_partition
from ebmlab.exact.partition import marginals as marginals
from ebmlab.exact.partition import moments as moments
from ebmlab.exact.partition import thermodynamics as thermodynamics
from ebmlab.exact.split import Moments as Moments
from ebmlab.exact.thermo import Thermodynamics as Thermodynamics
