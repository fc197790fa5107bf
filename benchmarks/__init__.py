"""Speed and memory, against limits of the machine and other programs: `python -m benchmarks`. docs/performance.md has
the last run.
"""

from taskvec_demo.ui.startup import set_environment

set_environment()  # here, so that it is before torch reads the variables
