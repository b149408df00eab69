"""STAC items, collections and their assets: download, upload, copy, verify, from and to any store.

Everything stac-asset 0.4 has is here under the same name, for pystac objects and for plain dictionaries.

>>> import asyncio, holdall.stac
>>> item = {"type": "Feature", "stac_version": "1.1.0", "id": "a", "properties": {}, "links": [], "assets": {}}
>>> asyncio.run(holdall.stac.download_item(item, "out", infer_file_name=False))["id"]
'a'
"""

from __future__ import annotations

from . import blocking
from ._documents import Search, crawl, read_document, search, write_document
from ._functions import (
    assert_asset_exists,
    asset_exists,
    download_asset,
    download_collection,
    download_file,
    download_item,
    download_item_collection,
    open_href,
    read_href,
)
from ._more import (
    AssetFile,
    AssetInfo,
    PlannedAsset,
    copy_item,
    copy_item_collection,
    info,
    open_asset,
    plan,
    upload_item,
    upload_item_collection,
    verify,
)
from .client import Client, get_client_classes
from .config import Config
from .earthdata_client import EarthdataClient
from .errors import (
    AssetOverwriteError,
    AuthenticationError,
    ConfigError,
    ContentTypeError,
    DocumentError,
    DownloadError,
    DownloadWarning,
    HrefError,
    HttpError,
    IntegrityError,
    PathEscapeError,
    StacError,
    TemplateError,
)
from .filesystem_client import FilesystemClient
from .http_client import HttpClient
from .messages import Message
from .planetary_computer_client import PlanetaryComputerClient
from .s3_client import S3Client
from .store_client import StoreClient
from .strategy import ErrorStrategy, FileNameStrategy

__all__ = [
    "AssetFile",
    "AssetInfo",
    "AssetOverwriteError",
    "AuthenticationError",
    "Client",
    "Config",
    "ConfigError",
    "ContentTypeError",
    "DocumentError",
    "DownloadError",
    "DownloadWarning",
    "EarthdataClient",
    "ErrorStrategy",
    "FileNameStrategy",
    "FilesystemClient",
    "HrefError",
    "HttpClient",
    "HttpError",
    "IntegrityError",
    "Message",
    "PathEscapeError",
    "PlanetaryComputerClient",
    "PlannedAsset",
    "S3Client",
    "Search",
    "StacError",
    "StoreClient",
    "TemplateError",
    "assert_asset_exists",
    "asset_exists",
    "blocking",
    "copy_item",
    "copy_item_collection",
    "crawl",
    "download_asset",
    "download_collection",
    "download_file",
    "download_item",
    "download_item_collection",
    "get_client_classes",
    "info",
    "open_asset",
    "open_href",
    "plan",
    "read_document",
    "read_href",
    "search",
    "upload_item",
    "upload_item_collection",
    "verify",
    "write_document",
]
