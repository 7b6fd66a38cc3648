# SPDX-License-Identifier: LGPL-2.1-or-later
from __future__ import annotations

import re

from converters.linux.bootloaders.assignments import edit_values, set_value, values

CMDLINE = re.compile(r"GRUB_CMDLINE_LINUX(_\w+)?")

TEXT = """\
# GRUB_CMDLINE_LINUX="commented"
GRUB_DEFAULT=0
GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`
GRUB_CMDLINE_LINUX_DEFAULT='quiet splash' # a comment
export GRUB_CMDLINE_LINUX="a \\"b c\\" $X"
GRUB_CMDLINE_XEN="dom0_mem=1G"
GRUB_CMDLINE_LINUX_RECOVERY=single
GRUB_CMDLINE_LINUX=""
"""


def test_values_of_all_kernel_arguments_are_read() -> None:
    assert values(TEXT, CMDLINE) == ("quiet splash", 'a \\"b c\\" $X', "single", "")


def test_quotes_and_all_else_stay() -> None:
    new = edit_values(TEXT, CMDLINE, lambda value: f"{value} x".strip())
    changed = [line for line in new.splitlines() if line not in TEXT.splitlines()]
    assert changed == [
        "GRUB_CMDLINE_LINUX_DEFAULT='quiet splash x' # a comment",
        'export GRUB_CMDLINE_LINUX="a \\"b c\\" $X x"',
        'GRUB_CMDLINE_LINUX_RECOVERY="single x"',
        'GRUB_CMDLINE_LINUX="x"',
    ]
    assert edit_values(TEXT, CMDLINE, lambda value: value) == TEXT


def test_a_variable_is_set_where_it_was_set_last_or_at_the_end() -> None:
    assert set_value("A=1\nA='2'\nB=3\n", "A", "4") == 'A=1\nA="4"\nB=3\n'
    assert set_value("B=3", "A", "4") == 'B=3\nA="4"\n'
