"""Every operation and its derivative, in plain NumPy."""
