# SPDX-License-Identifier: LGPL-2.1-or-later
"""vCenter and ESXi by the vSphere API, through VMware's own pyVmomi ("vSphere Web Services API").

pyVmomi checks no certificate of ``localhost`` unless it is given a context: it always is here.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias
from xml.parsers.expat import ExpatError

from pyVim.connect import SmartStubAdapter
from pyVmomi import SoapAdapter, vim, vmodl

from v2v.datastore import Login
from v2v.errors import SourceError
from v2v.hosts import tls

# pyVmomi makes its classes as it runs; no type checker sees into them.
Properties: TypeAlias = "Mapping[str, Any]"
Inventory: TypeAlias = "dict[Any, Properties]"

PORT = 443
_PLACES = ("name", "parent")
_GUEST = (
    "name", "parent", "parentVApp", "runtime.host", "config.uuid", "config.instanceUuid",
    "config.template",
)  # fmt: skip
_FAILURES = (OSError, http.client.HTTPException, vmodl.MethodFault, ExpatError)
_PAGE = 200  # guests in an answer; a whole configuration has some 10 KiB


class Session:
    """A login that stands. Failures of the API are SourceError."""

    def __init__(self, login: Login, stub: SoapAdapter.SoapStubAdapter) -> None:
        self.host = login.host
        self._stub = stub
        with _refusals(self.host, "RetrieveServiceContent"):
            self._content: Any = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()

    def login(self, user: str, password: str) -> None:
        try:
            self._content.sessionManager.Login(user, password, None)
        except (vim.fault.InvalidLogin, vim.fault.NoPermission) as error:
            raise SourceError(
                "E-VSPHERE-LOGIN",
                f"{self.host}: user and password of {user!r} are not accepted",
                hint="the user is in the address (vpx://USER@host/...; a domain as USER%40DOMAIN),"
                " the password in -ip FILE",
            ) from error
        except _FAILURES as error:
            raise refused(self.host, "Login", error) from error

    def logout(self) -> None:
        with suppress(*_FAILURES):  # the session has ended by itself
            self._content.sessionManager.Logout()
        self._stub.DropConnections()

    def inventory(self, *more: str) -> Inventory:
        """Return places and guests by reference, the latter with ``more`` of their properties."""
        kinds: dict[type, Sequence[str]] = {
            vim.VirtualMachine: (*_GUEST, *more),
            vim.Folder: _PLACES,
            vim.Datacenter: _PLACES,
            vim.ComputeResource: _PLACES,
            vim.HostSystem: _PLACES,
            vim.VirtualApp: (*_PLACES, "parentFolder"),
            vim.dvs.DistributedVirtualPortgroup: ("name", "key"),
        }
        with _refusals(self.host, "RetrievePropertiesEx"):
            view = self._content.viewManager.CreateContainerView(
                self._content.rootFolder, [*kinds], True
            )
            walk = vmodl.query.PropertyCollector.TraversalSpec(
                name="view", path="view", skip=False, type=vim.view.ContainerView
            )
            try:
                return self._collected([(view, True, [walk])], kinds)
            finally:
                view.Destroy()

    def properties(self, reference: Any, *paths: str) -> Properties:
        """Return some properties of one object, those that are set."""
        with _refusals(self.host, "RetrievePropertiesEx"):
            found = self._collected([(reference, False, [])], {type(reference): paths})
        return found.get(reference, {})

    def _collected(
        self, objects: Sequence[tuple[Any, bool, list[Any]]], kinds: Mapping[type, Sequence[str]]
    ) -> Inventory:
        spec = vmodl.query.PropertyCollector
        collector = self._content.propertyCollector
        wanted = spec.FilterSpec(
            objectSet=[spec.ObjectSpec(obj=obj, skip=skip, selectSet=walks)
                       for obj, skip, walks in objects],
            propSet=[spec.PropertySpec(type=kind, pathSet=[*paths])
                     for kind, paths in kinds.items()],
        )  # fmt: skip
        answer = collector.RetrievePropertiesEx([wanted], spec.RetrieveOptions(maxObjects=_PAGE))
        found: Inventory = {}
        while answer is not None:
            for each in answer.objects:
                found[each.obj] = {one.name: one.val for one in each.propSet or ()}
            if not answer.token:
                break
            answer = collector.ContinueRetrievePropertiesEx(answer.token)
        return found


@contextmanager
def logged_in(login: Login) -> Iterator[Session]:
    """Log in for as long as the block lasts. Raises SourceError."""
    port = login.port or PORT
    trusted = tls.context(login.host, port, tls.Trust(login.cacert, login.thumbprint))
    _look(login.host, port, trusted)
    with _refusals(login.host, "connecting"):
        stub = SmartStubAdapter(
            host=f"[{login.host}]" if ":" in login.host else login.host, port=port,
            sslContext=trusted, httpConnectionTimeout=tls.SECONDS,
        )  # fmt: skip
    try:
        session = Session(login, stub)
        session.login(login.user, login.password)
    except SourceError:
        stub.DropConnections()
        raise
    try:
        yield session
    finally:
        session.logout()


def _look(host: str, port: int, trusted: ssl.SSLContext) -> None:
    """Raise SourceError unless the API is there and its certificate is trusted."""
    connection = http.client.HTTPSConnection(host, port, timeout=tls.SECONDS, context=trusted)
    with _refusals(host, "connecting"):
        try:
            connection.request("GET", "/sdk/vimServiceVersions.xml")
            status = connection.getresponse().status
        finally:
            connection.close()
    if status != http.HTTPStatus.OK:
        raise SourceError("E-VSPHERE", f"{host}: is no vCenter and no ESXi host: {status}")


@contextmanager
def _refusals(host: str, what: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise tls.untrusted(host, error) from error
    except _FAILURES as error:
        raise refused(host, what, error) from error


def refused(host: str, what: str, error: BaseException) -> SourceError:
    """Return the error for what the host said."""
    said = getattr(error, "msg", None) or str(error) or type(error).__name__
    return SourceError("E-VSPHERE", f"{host}: {what}: {said}")
