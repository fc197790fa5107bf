"""`python -m taskvec_demo`: see `cli.py`."""

import sys

from .cli import main

sys.exit(main())
