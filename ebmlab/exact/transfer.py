"""Transfer matrices: rings of any couplings, and strips of the square lattice."""

from ebmlab.exact.rings import correlation_length as correlation_length
from ebmlab.exact.rings import potts_ring as potts_ring
from ebmlab.exact.rings import ring as ring
from ebmlab.exact.rings import ring_moments as ring_moments
from ebmlab.exact.strips import WIDEST as WIDEST
from ebmlab.exact.strips import InfiniteStrip as InfiniteStrip
from ebmlab.exact.strips import infinite_strip as infinite_strip
from ebmlab.exact.strips import strip as strip
