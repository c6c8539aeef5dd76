"""`python -m codesign` is the same as `cods`."""

from codesign.cli import main

main()
