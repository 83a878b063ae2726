"""The compiled inner loops, each beside the plain NumPy twin that specifies it."""
