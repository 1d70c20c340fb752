"""`python -m edge_glass` is the command `edge-glass`."""

from edge_glass.cli.main import main

if __name__ == "__main__":
    main()
