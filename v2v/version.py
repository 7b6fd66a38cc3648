# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one place of the version number."""

VERSION = "0.1.0"
