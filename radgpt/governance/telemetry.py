"""Switch off what libraries tell their makers about a run."""

import os

SWITCHES = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1", "WANDB_ERROR_REPORTING": "false"}
"""Hugging Face's usage reports, those of whoever heeds the common wish, and W&B's crash reports."""


def switch_off_telemetry() -> None:
    """Say so in the environment; must come before the libraries are imported, and holds for the processes that are started."""
    os.environ.update(SWITCHES)
