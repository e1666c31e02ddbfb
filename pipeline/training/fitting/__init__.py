"""How a method is fitted, resumed, kept and applied."""
