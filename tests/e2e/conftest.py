"""What the tests of commands share."""

from tests.e2e.test_cli import run

__all__ = ["run"]
