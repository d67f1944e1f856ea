#!/usr/bin/env python3
"""Evaluates cascades, on a checkout or an unpacked package: the command of evaluation/."""

import sys

from evaluation.command import main

if __name__ == "__main__":
    sys.exit(main())
