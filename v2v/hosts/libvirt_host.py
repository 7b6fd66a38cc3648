# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirt that answers: its domains, networks and what its hypervisor has.

libvirt's own errors are raised as TargetError (E-LIBVIRT) with what was wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import libvirt

from v2v.errors import TargetError

Domain = libvirt.virDomain
Pool = libvirt.virStoragePool
_Found = TypeVar("_Found")
_ABSENT = frozenset(
    {
        libvirt.VIR_ERR_NO_DOMAIN,
        libvirt.VIR_ERR_NO_NETWORK,
        libvirt.VIR_ERR_NO_STORAGE_POOL,
        libvirt.VIR_ERR_NO_STORAGE_VOL,
    }
)
_UNKNOWN = frozenset({libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED})
_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE


@contextmanager
def asking(what: str, hint: str | None = None) -> Iterator[None]:
    """Raise libvirt's error in the block as TargetError about ``what``."""
    try:
        yield
    except libvirt.libvirtError as error:
        said = (error.get_error_message() or str(error)).strip()
        raise TargetError("E-LIBVIRT", f"{what}: {said}", hint=hint) from error


class LibvirtHost:
    """A connection; it ends with its last user."""

    def __init__(self, uri: str | None, password: Callable[[], str]) -> None:
        """Connect. ``password`` is asked if the server wants one. Raises TargetError."""
        if urlsplit(uri or "").password is not None:
            raise TargetError(
                "E-ADDRESS",
                "-oc: the address holds a password, which everybody on this host could read",
                hint="leave it out, and put it into a file that only you can read: -op FILE",
            )
        libvirt.registerErrorHandler(_say_nothing, None)
        kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE]

        def answer(wanted: list[list[object]], _context: object) -> int:
            for credential in wanted:
                is_name = credential[0] == libvirt.VIR_CRED_AUTHNAME
                user = urlsplit(uri or "").username or credential[3] or "root"
                credential[4] = user if is_name else password()
            return 0

        with asking(
            f"{uri or 'libvirt'}: cannot be connected to",
            "is libvirtd running there? compare: virsh -c URI list",
        ):
            self._connection = libvirt.openAuth(uri, [kinds, answer, None], 0)
            self.uri = self._connection.getURI()

    @property
    def is_local(self) -> bool:
        """Whether its paths are those of this host."""
        return not urlsplit(self.uri).hostname

    def domain(self, name: str) -> Domain | None:
        """Return a domain by its name."""
        return _found(f"domain {name}", self._connection.lookupByName, name)

    def domains(self) -> Sequence[Domain]:
        """Return all domains."""
        with asking("domains"):
            return self._connection.listAllDomains()

    def pool(self, name: str) -> Pool | None:
        """Return a storage pool by its name or UUID."""
        by_name = _found(f"pool {name}", self._connection.storagePoolLookupByName, name)
        return by_name or next(
            (pool for pool in self.pools() if pool.UUIDString() == name.lower()), None
        )

    def pools(self) -> Sequence[Pool]:
        """Return all storage pools."""
        with asking("pools"):
            return self._connection.listAllStoragePools()

    def new_pool(self, xml: str) -> Pool:
        """Define a storage pool."""
        with asking("the pool cannot be made"):
            return self._connection.storagePoolDefineXML(xml)

    def network(self, name: str) -> libvirt.virNetwork | None:
        """Return one of libvirt's networks."""
        return _found(f"network {name}", self._connection.networkLookupByName, name)

    def networks(self) -> tuple[str, ...]:
        """Return the names of libvirt's networks."""
        with asking("networks"):
            return tuple(network.name() for network in self._connection.listAllNetworks())

    def net_devices(self) -> frozenset[str] | None:
        """Return the names of the host's network devices; None if libvirt cannot tell.

        Its interface driver knows all of them, the one for node devices where udev does.
        """
        try:
            return frozenset(found.name() for found in self._connection.listAllInterfaces())
        except libvirt.libvirtError as error:
            if error.get_error_code() in _UNKNOWN:
                return None
            raise TargetError("E-LIBVIRT", f"network devices: {error}") from error

    def capabilities(self, virtualization: str, machine: str) -> str | None:
        """Return what domains of a kind can have, as XML; None if it has no such kind."""
        try:
            return self._connection.getDomainCapabilities(None, "x86_64", machine, virtualization)
        except libvirt.libvirtError:  # it says so in many ways
            return None

    def define(self, xml: str) -> Domain:
        """Define a domain whose XML is valid."""
        with asking("libvirt refuses the domain"):
            return self._connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def stream(self) -> libvirt.virStream:
        """Return a stream for data."""
        return self._connection.newStream(0)


def _found(what: str, look: Callable[[str], _Found], name: str) -> _Found | None:
    """Return what libvirt has of this name, None if nothing."""
    try:
        return look(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _ABSENT:
            return None
        raise TargetError("E-LIBVIRT", f"{what}: {error}") from error


def _say_nothing(_context: object, _error: object) -> None:
    """Keep libvirt from writing each error to standard error: they are raised as well."""


def definition(domain: Domain) -> str:
    """Return a domain's XML with its secrets, as it is when it is shut off."""
    with asking(f"domain {domain.name()}"):
        return domain.XMLDesc(_INACTIVE)


def pull(domain: Domain, device: str) -> None:
    """Have a running domain copy into a disk what that has from backing files."""
    with asking(f"domain {domain.name()}: {device}"):
        if not domain.blockJobInfo(device):  # it runs on where this was done before
            domain.blockPull(device)


def pulled(domain: Domain, device: str) -> tuple[int, int] | None:
    """Return how far that is, of how much; None if it has ended."""
    with asking(f"domain {domain.name()}: {device}"):
        job = domain.blockJobInfo(device)
        return (job["cur"], job["end"]) if job else None


def is_bound(domain: Domain) -> bool:
    """Tell whether there is more to a domain than its XML: snapshots, or a saved state."""
    with asking(f"domain {domain.name()}"):
        return bool(domain.snapshotNum() or domain.hasManagedSaveImage())


def undefine(domain: Domain, *, keep_nvram: bool | None) -> None:
    """Undefine a domain; ``keep_nvram`` is None where it has no variables of UEFI."""
    flags = {
        None: 0,
        True: libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
        False: libvirt.VIR_DOMAIN_UNDEFINE_NVRAM,
    }
    with asking(f"domain {domain.name()}"):
        domain.undefineFlags(flags[keep_nvram])
