"""Providers of buckets."""

from __future__ import annotations

from enum import Enum

from .errors import InvalidBckProvider

ALIAS_S3 = "s3"
ALIAS_GS = "gs"


class Provider(Enum):
    """Where a bucket is: in the cluster itself (or another one), or in a cloud."""

    AIS = "ais"
    AMAZON = "aws"
    AZURE = "azure"
    GOOGLE = "gcp"
    OCI = "oci"
    # Servers up to 4.9 have it.
    HTTP = "ht"

    def is_remote(self) -> bool:
        """Whether it is a cloud."""
        return self is not Provider.AIS

    @staticmethod
    def parse(provider: Provider | str) -> Provider:
        """Read a name: ``ais``, ``aws``, ``gcp``, ``azure``, ``oci``, ``ht``, or one of the aliases ``s3`` and ``gs``.

        Raises:
            InvalidBckProvider: there is no such provider.
        """
        if isinstance(provider, Provider):
            return provider
        try:
            return Provider(provider_aliases.get(provider, provider))
        except ValueError as error:
            raise InvalidBckProvider(provider) from error


provider_aliases = {ALIAS_GS: Provider.GOOGLE.value, ALIAS_S3: Provider.AMAZON.value}
