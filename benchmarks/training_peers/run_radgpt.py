"""Train with radgpt as its command line does.

    python run_radgpt.py SETTING=VALUE …

The stopwatch imports transformers, so it starts where the stage does.
"""

import sys
from functools import wraps
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from radgpt.cli import main
from radgpt.training import fit

import_libraries = fit.import_libraries


@wraps(import_libraries)
def then_stopwatch(*given: Any, **named: Any) -> None:
    """Import the libraries as ever, then put the stopwatch on the Trainer."""
    import_libraries(*given, **named)
    import stopwatch

    stopwatch.start()


fit.import_libraries = then_stopwatch
sys.exit(main())
