"""`python -m slipstream`: the command line."""

from __future__ import annotations

import sys

from slipstream.cli import main

sys.exit(main())
