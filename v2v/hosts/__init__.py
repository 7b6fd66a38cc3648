# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reaching hypervisors that are running, to read from them."""
