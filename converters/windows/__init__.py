# SPDX-License-Identifier: LGPL-2.1-or-later
"""The knowledge of Windows: what is changed offline, and what the first boot does."""
