"""The plots that lessons share. Each takes an `Axes` first and draws one thing in the course's language."""

from ebmlab.show.plots.curves import autocorrelation as autocorrelation
from ebmlab.show.plots.curves import error_points as error_points
from ebmlab.show.plots.curves import exact_line as exact_line
from ebmlab.show.plots.curves import histogram_exact as histogram_exact
from ebmlab.show.plots.curves import levels as levels
from ebmlab.show.plots.curves import trace as trace
from ebmlab.show.plots.glasses import disconnectivity as disconnectivity
from ebmlab.show.plots.glasses import glass as glass
from ebmlab.show.plots.networks import chain_graph as chain_graph
from ebmlab.show.plots.networks import graph as graph
from ebmlab.show.plots.networks import layered as layered
from ebmlab.show.plots.states import matrix as matrix
from ebmlab.show.plots.states import spin_key as spin_key
from ebmlab.show.plots.states import state_grid as state_grid
