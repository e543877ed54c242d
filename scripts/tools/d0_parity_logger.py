#!/usr/bin/env python3
"""Record a photon-dose sweep in an evidence log: ``d0parity log`` as a script.

Also a module for other scripts, which import its helpers by these names.
"""

import sys

from pytest_d0parity.util.runtime import end_at_once

if __name__ == "__main__":
    end_at_once()  # before anything else is imported

from pytest_d0parity import (
    convert_for_json,
    load_params,
    sha256_file,
    summarize_array,
    summarize_grouped,
    summarize_probe,
)
from pytest_d0parity.cli import log_main as main

__all__ = [
    "convert_for_json",
    "load_params",
    "main",
    "sha256_file",
    "summarize_array",
    "summarize_grouped",
    "summarize_probe",
]

if __name__ == "__main__":
    sys.exit(main())
