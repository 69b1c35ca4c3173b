"""The names of the pictures in a sweep's folder."""

KNOBS = "knobs.png"
"""Loss against each knob."""

GRID = "grid.png"
"""The mean of each combination of a grid, with its spread over seeds."""

PICTURES = (GRID, KNOBS)
