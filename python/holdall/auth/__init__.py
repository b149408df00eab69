"""Providers of credentials, to be given to stores as ``credential_provider``.

Each module needs the package it is named for (`boto3`, `google-auth`, `azure-identity`, `requests`, `aiohttp`), which is
imported when a provider is made.
"""
