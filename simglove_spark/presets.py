"""Sets of options under one name."""

from typing import Any, Literal

Preset = Literal["default", "simpler-glove", "glove"]

#: Options that a preset changes; an option given by hand wins over the preset.
PRESETS: dict[Preset, dict[str, Any]] = {
    "default": {},
    # the published tool to the letter (bojone/simpler_glove, src/glove.c)
    "simpler-glove": {
        "distance_weighting": "flat",
        "count_power": 1.0,
        "x_max": 100.0,
        "alpha": 0.75,
        "solver": "adagrad",
        "all_pairs_weight": 0.0,
        "l2": 0.0,
    },
    # Pennington et al. 2014: biases, log counts, two spaces whose sum is handed out
    "glove": {
        "distance_weighting": "harmonic",
        "model": "glove",
        "space": "separate",
        "hand_out": "sum",
        "x_max": 100.0,
        "alpha": 0.75,
        "solver": "adagrad",
        "all_pairs_weight": 0.0,
        "l2": 0.0,
        "learning_rate": 0.05,
    },
}
