"""Ising machines for rapid-ising, one file each; reached by name through the registry."""
