"""One certificate for all tests of the gate."""

from pathlib import Path

import pytest
from wire import certificate


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key of the listener."""
    return certificate(tmp_path_factory.mktemp("certificate"))
