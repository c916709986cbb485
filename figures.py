"""Draw the lecture's pictures from live code: python figures.py figure=NAME. See --help."""

from __future__ import annotations

import sys

from experiments.__main__ import opened_by_script

if __name__ == "__main__":
    # With @hydra.main, which fish looks for in a script whose words it is to complete.
    sys.exit(opened_by_script(__file__))
