"""One module a command of ``abignet``: options in, one call of the library, a line of result."""
