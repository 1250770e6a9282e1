from tests.engine.conftest import gatys, untrained, untrained_file  # noqa: F401
