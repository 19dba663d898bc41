"""Certificates for ``--tls``: a certificate authority of one's own, made once and kept, to be trusted once."""

from __future__ import annotations

import ipaddress
import os
import shutil
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trustme

ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")

_CERTIFICATE = "ca.pem"
_KEY = "ca-key.pem"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a TLS listener needs."""

    context: ssl.SSLContext
    ca_path: Path
    """Certificate of the authority, for clients to trust (``AWS_CA_BUNDLE``, ``NODE_EXTRA_CA_CERTS``)."""


def state_folder() -> Path:
    """Where the authority is kept: ``$XDG_STATE_HOME/chime``, by default ``~/.local/state/chime``."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "chime"


def identify(hosts: tuple[str, ...] = (), folder: Path | None = None) -> Identity:
    """Make a server certificate for the loopback names and `hosts` (names or addresses, a port is ignored)."""
    folder = folder or state_folder()
    authority = _authority(folder)
    names = dict.fromkeys([*ALWAYS_NAMED, *filter(None, map(host_name, hosts))])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return Identity(context, folder / _CERTIFICATE)


def host_name(host: str) -> str:
    """Cut a port and the brackets of an IPv6 address off; an address that names no machine becomes nothing."""
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return "" if ipaddress.ip_address(host).is_unspecified else host
    except ValueError:
        return host


def _authority(folder: Path) -> trustme.CA:
    if not (folder / _KEY).exists():
        _create(folder)
    return trustme.CA.from_pem((folder / _CERTIFICATE).read_bytes(), (folder / _KEY).read_bytes())


def _create(folder: Path) -> None:
    """Write a new authority in one step, so that two servers that start at once agree on one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix="chime-ca-", dir=folder.parent))
    try:
        authority = trustme.CA(organization_name="Local Chime", organization_unit_name="Development only")
        authority.cert_pem.write_to_path(str(draft / _CERTIFICATE))
        key = draft / _KEY
        key.touch(mode=0o600)
        authority.private_key_pem.write_to_path(str(key))
        try:
            draft.rename(folder)
        except OSError:
            if not (folder / _KEY).exists():  # an older folder without an authority
                (draft / _CERTIFICATE).replace(folder / _CERTIFICATE)
                key.replace(folder / _KEY)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
