"""How far samples can be trusted: error bars, convergence, and fit to exact probabilities."""

from ebmlab.diagnostics.fit import ChiSquare as ChiSquare
from ebmlab.diagnostics.fit import Distance as Distance
from ebmlab.diagnostics.fit import chi_square as chi_square
from ebmlab.diagnostics.fit import empirical as empirical
from ebmlab.diagnostics.fit import kl_divergence as kl_divergence
from ebmlab.diagnostics.fit import total_variation as total_variation
from ebmlab.diagnostics.report import mixing_report as mixing_report
from ebmlab.diagnostics.series import Blocking as Blocking
from ebmlab.diagnostics.series import Estimate as Estimate
from ebmlab.diagnostics.series import Time as Time
from ebmlab.diagnostics.series import autocorrelation as autocorrelation
from ebmlab.diagnostics.series import autocorrelation_time as autocorrelation_time
from ebmlab.diagnostics.series import blocked_error as blocked_error
from ebmlab.diagnostics.series import error_bar as error_bar
from ebmlab.diagnostics.series import ess as ess
from ebmlab.diagnostics.series import rhat as rhat
from ebmlab.diagnostics.walkers import paths as paths
from ebmlab.diagnostics.walkers import round_trip_rate as round_trip_rate
from ebmlab.diagnostics.walkers import round_trips as round_trips
