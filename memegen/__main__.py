"""`python -m memegen` is the command line."""

import sys

from memegen.cli import main

sys.exit(main())
