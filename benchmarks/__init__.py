"""Speed, each claim a ratio measured side by side in one run: ``make bench`` prints them as one table."""
