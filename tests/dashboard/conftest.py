"""A house with a dashboard: the gateway's."""

from ..gateway.conftest import house, make_house, pytest_asyncio_loop_factories

__all__ = ["house", "make_house", "pytest_asyncio_loop_factories"]
