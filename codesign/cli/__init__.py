"""The command line `cods`."""
