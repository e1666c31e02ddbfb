"""The methods by name, and the numbers each of them starts from."""
