"""``python -m pytbl`` is the command ``pytbl``."""

from .cli import main

main()
