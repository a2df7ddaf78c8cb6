"""`python -m cli` is the same command as `twinbed`."""

import sys

from cli.main import main

sys.exit(main())
