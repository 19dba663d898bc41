"""AWS credentials of a boto3 client, read afresh whenever something must be signed.

boto3 keeps them on the client and refreshes those that expire (roles, SSO, containers) when they are read; reading may
therefore go to the network, so it happens in a worker thread.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from botocore.exceptions import (
    BotoCoreError,
    CredentialRetrievalError,
    InvalidConfigError,
    MetadataRetrievalError,
    NoAuthTokenError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from chime_messaging.aws.threads import run_in_thread
from chime_messaging.errors import CredentialsError

REFRESH_ERRORS = (CredentialRetrievalError, MetadataRetrievalError, SSOError, TokenRetrievalError)
"""A provider that was asked and failed; a later try may succeed."""

MISSING_ERRORS = (NoCredentialsError, PartialCredentialsError, NoAuthTokenError, InvalidConfigError)
"""Nothing to ask, or a setting that cannot work."""


class Credentials(msgspec.Struct, frozen=True):
    """One consistent set of keys. Printing it shows no secret."""

    access_key: str
    secret_key: str
    token: str | None = None
    """Session token of temporary credentials."""

    def __repr__(self) -> str:
        token = ", token=..." if self.token else ""
        return f"Credentials({self.access_key!r}, ...{token})"

    __str__ = __repr__


async def resolve_credentials(client: Any, *, timeout: float = 10.0) -> Credentials:
    """Read the credentials of a boto3 client; refresh them first when they are about to expire.

    Args:
        client: Any boto3 client.
        timeout: Seconds that a refresh may take.

    Raises:
        CredentialsError: if there are none, or they could not be refreshed; `may_recover` tells these cases apart.
    """
    try:
        return await run_in_thread(partial(_read, client), timeout=timeout)
    except TimeoutError:
        raise CredentialsError(f"no credentials within {timeout:g} s", retryable=True) from None


def translate_credentials_error(error: Exception) -> CredentialsError | None:
    """Say a botocore error about credentials in our terms; None if it is about something else."""
    if isinstance(error, NoCredentialsError | NoAuthTokenError):
        return CredentialsError("no AWS credentials found")
    if isinstance(error, MISSING_ERRORS):
        return CredentialsError(str(error))
    if isinstance(error, REFRESH_ERRORS):
        return CredentialsError(str(error), retryable=True)
    return None


def _read(client: Any) -> Credentials:
    # The signer's credentials object is the one boto3 itself signs with: it is what refreshes, and what
    # `boto3.client(..., aws_access_key_id=...)` overrides. botocore has no public name for it.
    source = client._request_signer._credentials
    if source is None:
        raise CredentialsError("no AWS credentials found")
    try:
        keys = source.get_frozen_credentials()
    except BotoCoreError as exc:
        raise translate_credentials_error(exc) or CredentialsError(str(exc), retryable=True) from exc
    except (OSError, RuntimeError) as exc:
        # RuntimeError is how botocore says that what it got from the provider has expired already.
        raise CredentialsError(f"credentials could not be refreshed: {exc}", retryable=True) from exc
    if not keys.access_key or not keys.secret_key:
        raise CredentialsError("AWS credentials are incomplete: access key or secret key is empty")
    return Credentials(keys.access_key, keys.secret_key, keys.token or None)
