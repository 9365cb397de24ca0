"""The service as a process of its own, on a free port."""

import pytest

pytest.importorskip("fastapi")  # of requirements/services.txt

from tests.warehouse import Warehouse  # noqa: E402


@pytest.fixture
def warehouse(tmp_path):
    with Warehouse(tmp_path) as service:
        yield service
