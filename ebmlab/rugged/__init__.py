"""Rugged landscapes: tempering ladders, annealing, flat histograms, minima and ground states."""

from ebmlab.rugged.annealing import Annealed as Annealed
from ebmlab.rugged.annealing import anneal as anneal
from ebmlab.rugged.descent import quench as quench
from ebmlab.rugged.ground import Ground as Ground
from ebmlab.rugged.ground import GroundStates as GroundStates
from ebmlab.rugged.ground import ground_state as ground_state
from ebmlab.rugged.ground import ground_states as ground_states
from ebmlab.rugged.ladder import Ladder as Ladder
from ebmlab.rugged.ladder import ladder as ladder
from ebmlab.rugged.ladder import respace as respace
from ebmlab.rugged.minima import Branches as Branches
from ebmlab.rugged.minima import Landscape as Landscape
from ebmlab.rugged.minima import Merge as Merge
from ebmlab.rugged.minima import landscape as landscape
from ebmlab.rugged.population import Population as Population
from ebmlab.rugged.population import population_annealing as population_annealing
from ebmlab.rugged.wang_landau import Landau as Landau
from ebmlab.rugged.wang_landau import wang_landau as wang_landau
