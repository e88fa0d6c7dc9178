"""The command line: a small door into the lab."""
