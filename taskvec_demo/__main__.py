"""`python -m taskvec_demo`: see `lab/cli.py`."""

import sys

from .lab.cli import main

sys.exit(main())
