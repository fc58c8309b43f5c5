"""The room for eyes and hands: plots, sliders, running pictures, predictions, exercise checks.

The only part of ebmlab that imports matplotlib or ipywidgets; nothing else imports it.
"""

from ebmlab.show import plots as plots
from ebmlab.show import style as style
from ebmlab.show.boards import board as board
from ebmlab.show.boards import curve as curve
from ebmlab.show.check import Check as Check
from ebmlab.show.check import check as check
from ebmlab.show.check import close as close
from ebmlab.show.controls import button as button
from ebmlab.show.controls import choice as choice
from ebmlab.show.controls import slider as slider
from ebmlab.show.controls import toggle as toggle
from ebmlab.show.environment import environment as environment
from ebmlab.show.explore import Explorable as Explorable
from ebmlab.show.explore import explore as explore
from ebmlab.show.live import Live as Live
from ebmlab.show.live import live as live
from ebmlab.show.mine import energy_explorer as energy_explorer
from ebmlab.show.predict import Prediction as Prediction
from ebmlab.show.predict import predict as predict
from ebmlab.show.shown import explorables as explorables
from ebmlab.show.still import Still as Still
from ebmlab.show.still import still as still
from ebmlab.show.style import axis_labels as axis_labels
from ebmlab.show.style import label as label
from ebmlab.show.style import new_figure as new_figure
