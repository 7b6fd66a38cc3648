# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many guests by one plan, each in a process of its own; what was begun can be gone on with."""
