"""The interpreter where alerts are evaluated: what lives long is not looked at again and again."""

from __future__ import annotations

import gc
import sys

from speed_layer.alerts.interpreter import set_for_evaluation


def test_what_survives_a_long_look_is_frozen_and_all_else_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold(), sys.getswitchinterval(), [*gc.callbacks]
    frozen = gc.get_freeze_count()
    try:
        with set_for_evaluation():
            many = [[each] for each in range(1_000_000)]
            gc.collect()
            assert gc.get_freeze_count() >= frozen + len(many)
        assert before == (gc.get_threshold(), sys.getswitchinterval(), [*gc.callbacks])
    finally:
        gc.unfreeze()
