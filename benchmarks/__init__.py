"""How fast, how large, against what: `python -m benchmarks`. Results of the last run: docs/performance.md."""

from taskvec_demo.ui.startup import set_environment

set_environment()  # here, so that it is before torch reads the variables
