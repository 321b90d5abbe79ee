"""``python -m veriloop.apps.cli``."""

from veriloop.apps.cli import main

main()
