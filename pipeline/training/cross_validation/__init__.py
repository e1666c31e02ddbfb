"""The rules' functions one after the other, in one process: for the command line."""
