"""The figures of arXiv:1910.01592 and the claims around them, measured again: one file a study."""
