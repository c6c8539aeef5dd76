"""The command line `cods`: one file a command group."""

from codesign.cli.app import main

__all__ = ["main"]
