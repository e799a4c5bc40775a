"""`python -m forecast` is the command line."""

from forecast.cli import main

if __name__ == "__main__":
    main()
