"""Fully connected glasses with infinitely many spins: equations instead of samples, solved in float64."""

from ebmlab.meanfield import gardner as gardner
from ebmlab.meanfield import hopfield as hopfield
from ebmlab.meanfield import sk as sk
