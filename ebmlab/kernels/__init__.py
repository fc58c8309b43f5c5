"""Markov kernels: how a state moves."""

from ebmlab.kernels.base import AbstractKernel as AbstractKernel
from ebmlab.kernels.base import Info as Info
from ebmlab.kernels.base import accept as accept
from ebmlab.kernels.base import info as info
from ebmlab.kernels.cluster import SwendsenWang as SwendsenWang
from ebmlab.kernels.cluster import Wolff as Wolff
from ebmlab.kernels.cluster import clusters as clusters
from ebmlab.kernels.gibbs import Gibbs as Gibbs
from ebmlab.kernels.langevin import HMC as HMC
from ebmlab.kernels.langevin import MALA as MALA
from ebmlab.kernels.langevin import ULA as ULA
from ebmlab.kernels.metropolis import Metropolis as Metropolis
from ebmlab.kernels.nuts import NUTS as NUTS
