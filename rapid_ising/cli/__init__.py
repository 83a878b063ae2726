"""The command line, one file a command; what they import is imported when they run."""
