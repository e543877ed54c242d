"""``python -m pytest_d0parity`` is ``d0parity``."""

import sys

from .cli import main

sys.exit(main())
