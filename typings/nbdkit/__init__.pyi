# SPDX-License-Identifier: LGPL-2.1-or-later
# What nbdkit gives to its Python plugins, nbdkit-python-plugin(3).
THREAD_MODEL_SERIALIZE_ALL_REQUESTS: int
EXTENT_HOLE: int
EXTENT_ZERO: int
