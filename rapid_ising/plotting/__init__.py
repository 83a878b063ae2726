"""Pictures of trainings, samples and machines; each needs matplotlib only when it is drawn."""

from rapid_ising.plotting.calibration import plot_calibration as plot_calibration
from rapid_ising.plotting.curves_figure import curves_figure as curves_figure
from rapid_ising.plotting.history import plot_history as plot_history
from rapid_ising.plotting.images_figure import images_figure as images_figure
from rapid_ising.plotting.overlaps import plot_overlaps as plot_overlaps
from rapid_ising.plotting.reconstructions import plot_reconstructions as plot_reconstructions
from rapid_ising.plotting.samples import plot_samples as plot_samples
from rapid_ising.plotting.style import png as png
from rapid_ising.plotting.style import require_matplotlib as require_matplotlib
from rapid_ising.plotting.style import save_figure as save_figure
from rapid_ising.plotting.style import svg as svg
from rapid_ising.plotting.style import themed as themed
from rapid_ising.plotting.training_figure import training_figure as training_figure
