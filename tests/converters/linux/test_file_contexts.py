# SPDX-License-Identifier: LGPL-2.1-or-later
"""Labels are those that libselinux itself gives: it is asked about the same policies and paths."""

from __future__ import annotations

import stat as modes
from collections.abc import Sequence
from pathlib import Path

import pytest
import selinux
from hypothesis import given
from hypothesis import strategies as st

from converters.linux.file_contexts import FileContexts, PolicyError

FILE, DIR, LINK = modes.S_IFREG, modes.S_IFDIR, modes.S_IFLNK
# In the manner of real policies: from the general to the special, and with all that they use.
BASE = r"""
# a comment
/.*	system_u:object_r:default_t:s0
/etc/.*	system_u:object_r:etc_t:s0
/usr/.*	system_u:object_r:usr_t:s0
/run/.*	<<none>>
/boot(/.*)?	system_u:object_r:boot_t:s0
/usr/(.*/)?bin(/.*)?	system_u:object_r:bin_t:s0
/usr/lib(64)?/.+\.so(\.[^/]*)*	--	system_u:object_r:lib_t:s0
/etc/\.pwd\.lock	--	system_u:object_r:shadow_t:s0
/etc/shadow.*	--	system_u:object_r:shadow_t:s0
/etc/rc\.d/rc[0-6]\.d(/.*)?	system_u:object_r:initrc_t:s0
/etc/rc\.d/init\.d/[^/]*	--	system_u:object_r:initrc_exec_t:s0
/dev/[[:digit:]_a-f^-]+	-c	system_u:object_r:device_t:s0
/dev/([^0-9[&&]|x{2,3})	system_u:object_r:tty_t:s0
/var/log/[]x]	system_u:object_r:log_t:s0
/usr/lib/systemd/system(/.*)?	system_u:object_r:systemd_unit_t:s0
/usr/lib/systemd/system/[^/]*\.d	-d	system_u:object_r:systemd_dir_t:s0
/var/tmp	-d	system_u:object_r:tmp_t:s0-s0:c0.c1023
/etc/localtime	-l	system_u:object_r:locale_t:s0
/etc/localtime	system_u:object_r:etc_t:s0
"""
HOMES = "/home/[^/]+/\\.ssh(/.*)?\tunconfined_u:object_r:ssh_home_t:s0\n"
LOCAL = """\
/etc/special.*	system_u:object_r:special_t:s0
/boot/exact	system_u:object_r:exact_t:s0
/etc/localtime	-l	system_u:object_r:local_t:s0
"""
DIST = """\
/etc/systemd/system /usr/lib/systemd/system
/bin /usr/bin
/lib /usr/lib
/var/run /run
/root-of-all /
/twice /once
"""
OWN = "# mine\n/srv/units /etc/systemd/system\n/twice /etc\n/twice /boot\n"
PATHS = (
    "/", "/x", "/etc", "/etc/x", "/etc/shadow-", "/etc/.pwd.lock", "/etc/xpwd.lock", "/boot",
    "/boot/vmlinuz", "/boot/exact", "/usr/bin/a", "/usr/local/bin", "/usr/lib/x.so.1.2",
    "/usr/lib64/deep/x.so", "/usr/lib/x.so/y", "/etc/rc.d/rc3.d/S99x", "/etc/rc.d/rc7.d/x",
    "/etc/rc.d/init.d/net", "/dev/1f-", "/dev/g", "/dev/&", "/dev/[", "/dev/xx", "/dev/xxxx",
    "/var/log/]", "/var/log/x", "/var/log/y", "/var/tmp", "/var/tmp/x", "/etc/localtime",
    "/home/ada/.ssh", "/home/ada/.ssh/id", "/home/ada/xssh", "/run/x", "/var/run", "/var/run/x",
    "/etc/systemd/system/a.service", "/etc/systemd/system/a.service.d", "/etc/systemd/systemx",
    "/srv/units/b.service", "/bin/sh", "/binx", "/lib/x.so", "/root-of-all", "/root-of-all/etc/x",
    "/twice", "/twice/x", "/etc/specially", "/boot/grub2/gr\u00fcb", "/etc/with\nline",
)  # fmt: skip


class Policy:
    """A policy in a folder, asked by us and by libselinux."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        place = folder / "contexts" / "files"
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        for suffix, text in files.items():
            (place / f"file_contexts{suffix}").write_text(text)
        selinux.selinux_set_policy_root(str(folder))
        self._handle = selinux.selabel_open(selinux.SELABEL_CTX_FILE, None, 0)
        self._ours = FileContexts(
            [files.get(suffix, "") for suffix in ("", ".homedirs", ".local")],
            [files.get(suffix, "") for suffix in (".subs", ".subs_dist")],
        )

    def close(self) -> None:
        selinux.selabel_close(self._handle)

    def compare(self, paths: Sequence[str]) -> None:
        for path in paths:
            for kind in (FILE, DIR, LINK):
                assert self._ours.label(path, kind) == self._theirs(path, kind), path

    def _theirs(self, path: str, kind: int) -> str | None:
        try:
            return str(selinux.selabel_lookup_raw(self._handle, path, kind)[1])
        except FileNotFoundError:
            return None


def test_labels_are_those_of_libselinux(tmp_path: Path) -> None:
    files = {"": BASE, ".homedirs": HOMES, ".local": LOCAL, ".subs": OWN, ".subs_dist": DIST}
    policy = Policy(tmp_path, files)
    policy.compare(PATHS)
    policy.close()


_name = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
_path = st.lists(_name, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))
_part = st.sampled_from(
    ["/a", "/b", "/[ab]", "/[^a]+", "/a?", "(/.*)?", "/.*", "/(a|b.)", r"\.", ".", "b+", "(a|ab)"]
)
_line = st.tuples(
    st.lists(_part, min_size=1, max_size=4).map("".join).filter(lambda text: text[0] == "/"),
    st.sampled_from(["", "--\t", "-d\t", "-l\t"]),
    st.sampled_from(["u:r:one_t:s0", "u:r:two_t:s0", "u:r:three_t:s0", "<<none>>"]),
).map(lambda line: f"{line[0]}\t{line[1]}{line[2]}\n")
_lines = st.lists(_line, min_size=1, max_size=6).map("".join)
_alias = st.lists(st.tuples(_path, _path).map(" ".join), max_size=3).map("\n".join)


@given(base=_lines, local=_lines, dist=_alias, own=_alias, paths=st.lists(_path, min_size=4))
def test_any_policy_is_read_as_libselinux_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    base: str,
    local: str,
    dist: str,
    own: str,
    paths: list[str],
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-policy"
    policy = Policy(folder, {"": base, ".local": local, ".subs": own, ".subs_dist": dist})
    policy.compare(paths)
    policy.close()


@pytest.mark.parametrize("pattern", [r"/a\pid", r"/a\Q.\E", "/a[[:punct:]]", "/a(", "/aa{,3}"])
def test_what_python_cannot_match_is_told_where_it_would_decide(pattern: str) -> None:
    policy = FileContexts([f"/.*\tu:r:any_t:s0\n{pattern}\tu:r:odd_t:s0\n"])
    with pytest.raises(PolicyError):
        policy.label("/a", FILE)
    assert policy.label("/b", FILE) == "u:r:any_t:s0"


@pytest.mark.parametrize("line", ["/a", "/a -x u:r:t:s0", "/a|/b u:r:t:s0"])
def test_a_line_that_is_none_makes_no_policy(line: str) -> None:
    with pytest.raises(PolicyError):
        FileContexts([line])
