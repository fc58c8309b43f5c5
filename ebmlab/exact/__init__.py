"""What sampling should have given: log Z, probabilities and moments without randomness."""

from typing import TYPE_CHECKING

from ebmlab._later import later
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

if TYPE_CHECKING:
    from ebmlab.exact.layered import LayerMoments as LayerMoments
    from ebmlab.exact.layered import layer_moments as layer_moments
    from ebmlab.exact.likelihood import differentiable_log_partition as differentiable_log_partition
    from ebmlab.exact.likelihood import likelihood_gradient as likelihood_gradient
    from ebmlab.exact.likelihood import log_likelihood as log_likelihood
    from ebmlab.exact.likelihood import visible_log_weight as visible_log_weight

_TABLE = {
    **dict.fromkeys(("LayerMoments", "layer_moments"), "ebmlab.exact.layered"),
    **dict.fromkeys(
        ("differentiable_log_partition", "likelihood_gradient", "log_likelihood", "visible_log_weight"),
        "ebmlab.exact.likelihood",
    ),
}

__getattr__, __dir__ = later(globals(), _TABLE)
