# SPDX-License-Identifier: LGPL-2.1-or-later
"""python -m v2v"""

import sys

from v2v.cli import main

sys.exit(main())
