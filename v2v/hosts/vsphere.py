# SPDX-License-Identifier: LGPL-2.1-or-later
"""vCenter and ESXi by the vSphere API, through VMware's own pyVmomi ("vSphere Web Services API").

pyVmomi checks no certificate of ``localhost`` unless it is given a context: it always is here.
"""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias
from xml.parsers.expat import ExpatError

from pyVim.connect import SmartStubAdapter
from pyVmomi import SoapAdapter, vim, vmodl

from v2v.cancellation import check
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
_TRIES = 6  # of a connection, while the host's services restart
_PAUSE = 0.2  # seconds before the second try; twice as long before each that follows
_BUSY = (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.SERVICE_UNAVAILABLE)
_POLL = 0.5  # seconds
_PAGE = 200  # guests in an answer; a whole configuration has some 10 KiB


class Session:
    """A login that stands. Failures of the API are SourceError."""

    def __init__(self, login: Login, stub: SoapAdapter.SoapStubAdapter) -> None:
        self.host = login.host
        self._login = login
        self._stub = stub
        with _refusals(self.host, "RetrieveServiceContent"):
            self._content: Any = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()

    def login(self) -> None:
        user = self._login.user
        try:
            self._content.sessionManager.Login(user, self._login.password, None)
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

    def guest(self, moref: str) -> Any:
        """Return a guest by its managed object reference."""
        return vim.VirtualMachine(moref, self._stub)

    def snapshot(self, moref: str) -> Any:
        """Return a snapshot by its managed object reference."""
        return vim.vm.Snapshot(moref, self._stub)

    @property
    def cookie(self) -> str:
        """The session's cookie, which stands for the login."""
        return str(self._stub.cookie or "").partition(";")[0]

    def call(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a method of an object of the API. Raises SourceError."""
        with _refusals(self.host, getattr(method, "__name__", "call")):
            return method(*arguments, **named)

    def finished(self, task: Any, seconds: float) -> Any:
        """Wait for a task and return its result. Raises SourceError if it fails or takes longer."""
        info = self.until(task, "info", lambda info: info.state in ("success", "error"), seconds)
        if info.state == "error":
            raise refused(self.host, str(info.descriptionId or "a task"), info.error)
        return info.result

    def until(self, reference: Any, path: str, done: Callable[[Any], bool], seconds: float) -> Any:
        """Wait for a property to become what is wanted, and return it. Raises SourceError."""
        deadline = time.monotonic() + seconds
        while True:
            value = self.properties(reference, path).get(path)
            if value is not None and done(value):
                return value
            check()
            if time.monotonic() > deadline:
                fact = f"{path} is {value!r} after {seconds:.0f} s"
                raise SourceError("E-VSPHERE", f"{self.host}: {reference._moId}: {fact}")
            time.sleep(_POLL)

    def properties(self, reference: Any, *paths: str) -> Properties:
        """Return some properties of one object, those that are set."""
        with _refusals(self.host, "RetrievePropertiesEx"):
            found = self._collected([(reference, False, [])], {type(reference): paths})
        return found.get(reference, {})

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Return the answer to what changes nothing: asked again where that may help."""
        for attempt in range(_TRIES - 1):
            try:
                return question()
            except vim.fault.NotAuthenticated:  # the session has expired
                self._content.sessionManager.Login(self._login.user, self._login.password, None)
            except (OSError, http.client.HTTPException):
                time.sleep(_PAUSE * 2**attempt)
        return question()

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
        options = spec.RetrieveOptions(maxObjects=_PAGE)
        answer = self._asked(lambda: collector.RetrievePropertiesEx([wanted], options))
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
        session.login()
    except SourceError:
        stub.DropConnections()
        raise
    try:
        yield session
    finally:
        session.logout()


def _look(host: str, port: int, trusted: ssl.SSLContext) -> None:
    """Raise SourceError unless the API is there and its certificate is trusted."""
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE * 2 ** (attempt - 1))
        connection = http.client.HTTPSConnection(host, port, timeout=tls.SECONDS, context=trusted)
        with _refusals(host, "connecting"):
            try:
                connection.request("GET", "/sdk/vimServiceVersions.xml")
                status = connection.getresponse().status
            finally:
                connection.close()
        if status not in _BUSY:
            break
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
