"""``python -m rapid_ising``: the command line, where its script is not on the path."""

from rapid_ising.cli.app import main

if __name__ == "__main__":
    main()
