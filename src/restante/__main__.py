"""`python -m restante` is the command `restante`."""

from .cli import main

if __name__ == "__main__":
    main()
