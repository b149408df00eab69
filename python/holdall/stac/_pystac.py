"""Plans for pystac objects, which are changed in place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from holdall._holdall import StacHints, StacPlan, stac_check_name, stac_write

from ._run import Job
from .client import Client, Clients
from .config import Config
from .errors import AssetOverwriteError
from .strategy import ErrorStrategy, FileNameStrategy

if TYPE_CHECKING:
    from pystac import Asset, Collection, Item, ItemCollection

    from .types import PathLikeObject

__all__ = ["Plan", "job", "places", "save", "save_items"]

#: Members of items and assets that speak of access, and of what it takes to read them.
_ACCESS = ("storage:", "auth:", "table:storage_options", "xarray:", "zarr:")


class Plan:
    """What will be moved for some pystac objects, and the objects afterwards."""

    def __init__(self, config: Config | None, clients: list[Client] | None, relative: bool) -> None:
        del relative
        self.config = config or Config()
        self.config.validate()
        self.clients = Clients(self.config, clients)
        self.jobs: list[Job] = []
        self._assets: list[Asset] = []
        self._owners: list[Item | Collection] = []
        self._taken: dict[str, int] = {}
        self._include = frozenset(self.config.include)
        self._exclude = frozenset(self.config.exclude)
        self.config._naming()  # refuses what is no strategy
        self._by_key = self.config.file_name_strategy == FileNameStrategy.KEY
        self._one_place = not (self.config.alternate_assets or self.config.fallback)
        self._extended = any(
            (
                self.config.naming,
                self.config.rename,
                self.config.roles,
                self.config.media_types,
                self.config.bands,
                self.config.max_size is not None,
                _is_pattern(self.config.include),
                _is_pattern(self.config.exclude),
            )
        )

    def add(
        self,
        stac_object: Item | Collection,
        directory: PathLikeObject,
        file_name: str | None,
        keep_non_downloaded: bool,
    ) -> None:
        """Add an object: its links and assets become absolute, and its self href the place where it will be."""
        self._add(stac_object, _base(directory), file_name, keep_non_downloaded)

    def _add(
        self,
        stac_object: Item | Collection,
        base: str,
        file_name: str | None,
        keep_non_downloaded: bool,
    ) -> None:
        own_href = _make_links_absolute(stac_object)
        _make_assets_absolute(stac_object, own_href)
        names = self._names(stac_object)
        context = _context(stac_object)
        taken: dict[str, str] = {}
        chosen: dict[str, Asset] = {}
        for key, name in names:
            asset = stac_object.assets[key]
            if name in taken:
                raise AssetOverwriteError([*taken])
            if name == file_name:
                # The document would replace it.
                raise AssetOverwriteError([name, asset.href])
            taken[name] = key
            chosen[key] = asset
            self._job(stac_object, key, asset, _below(base, name), own_href, context)
        place = _below(base, file_name) if file_name else None
        if own_href and not (place and _is_of(place, own_href)):
            from pystac import Link

            stac_object.add_link(Link(rel="derived_from", target=own_href))
        if file_name and place:
            stac_check_name(file_name, "the document")
            stac_object.set_self_href(place)
        else:
            _forget_self_href(stac_object)
        if not keep_non_downloaded:
            stac_object.assets = chosen

    def add_items(
        self,
        item_collection: ItemCollection,
        directory: PathLikeObject,
        path_template: str | None,
        keep_non_downloaded: bool,
    ) -> None:
        """Add all items of a collection, each in a directory of its own."""
        from pystac.layout import LayoutTemplate

        template = None
        if path_template is not None and path_template != "${id}":
            template = LayoutTemplate(path_template)
        base = _base(directory)
        for item in item_collection.items:
            below = item.id if template is None else template.substitute(item)
            if template is None or below not in ("", ".", "./"):
                stac_check_name(below, item.id)
            if item.links:
                own_href = item.get_self_href()
                if own_href is not None:
                    # Relative hrefs are those of the place where the item was.
                    _make_links_absolute(item)
                    _make_assets_absolute(item, own_href)
                _forget_self_href(item)
            self._add(item, _below(base, below), None, keep_non_downloaded)

    def _names(self, stac_object: Item | Collection) -> list[tuple[str, str]]:
        """Return the selected keys and the names of their files."""
        if self._extended:
            return self._names_of_plan(stac_object)
        found = []
        include, exclude = self._include, self._exclude
        for key, asset in stac_object.assets.items():
            if (include and key not in include) or key in exclude:
                continue
            name = _file_name(asset.href)
            if self._by_key:
                name = _flat(key, self.config.subdirectories) + _suffix(name)
            if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
                if not name:
                    raise ValueError(
                        f"asset {key!r} has no file name in its href: name files by key"
                    )
                stac_check_name(name, key)
            found.append((key, name))
        return found

    def _names_of_plan(self, stac_object: Item | Collection) -> list[tuple[str, str]]:
        text = json.dumps(stac_object.to_dict(include_self_link=False, transform_hrefs=False))
        plan = StacPlan(text, None, "plan", self.config._plan_json(None))
        return [(key, target.removeprefix("plan/")) for key, _, _, target, *_ in plan.jobs()]

    def _job(
        self,
        owner: Item | Collection,
        key: str,
        asset: Asset,
        target: str,
        own_href: str | None,
        context: str | None,
    ) -> None:
        made = job(key, asset, asset.href, target, owner)
        if self._one_place and "://" in asset.href:
            made.hints = _hints(asset.extra_fields, context)
        else:
            try:
                where = places(asset, self.config, own_href, context, whole=True)
                (made.href, made.hints), *made.others = where
            except ValueError as error:
                # One malformed alternate keeps nobody from the other assets.
                made.error = error
        known = self._taken.get(target)
        if known is not None:
            if self.jobs[known].href != made.href:
                raise AssetOverwriteError([self.jobs[known].href, made.href])
            made.same_as = known
        else:
            self._taken[target] = len(self.jobs)
        self.jobs.append(made)
        self._assets.append(asset)
        self._owners.append(owner)

    def finish(self) -> None:
        """Point the assets to their files, and remove those that failed."""
        keep = self.config.error_strategy == ErrorStrategy.KEEP
        config = self.config
        for made, owner, asset in zip(self.jobs, self._owners, self._assets, strict=True):
            if made.error is None:
                if config.keep_alternate is not None:
                    alternates = asset.extra_fields.setdefault("alternate", {})
                    alternates.setdefault(config.keep_alternate, {"href": asset.href})
                asset.href = made.target
                if made.digest is not None and config.checksum is not None:
                    asset.extra_fields["file:size"] = made.bytes
                    asset.extra_fields["file:checksum"] = made.digest
            elif not keep and made.key is not None:
                del owner.assets[made.key]


def _is_pattern(keys: list[str]) -> bool:
    return any(mark in key for key in keys for mark in "*?[{")


def job(
    key: str | None,
    asset: Asset,
    href: str,
    target: str,
    owner: Item | Collection | None,
) -> Job:
    """Return the job for an asset."""
    made = Job(key, None if owner is None else owner.id, href, target)
    made.media_type = asset.media_type
    more = asset.extra_fields
    if more:
        size = more.get("file:size")
        checksum = more.get("file:checksum", more.get("checksum:multihash"))
        if isinstance(size, float) and size.is_integer():
            size = int(size)
        made.size = size if isinstance(size, int) and size >= 0 else None
        made.checksum = checksum if isinstance(checksum, str) else None
    return made


def places(
    asset: Asset | dict[str, Any],
    config: Config,
    base: str | None = None,
    context: str | None = None,
    whole: bool = False,
) -> list[tuple[str, StacHints | None]]:
    """Return the absolute hrefs of an asset in the order of preference, with hints where there are any.

    With ``whole``, base and context are all that is known of the object that has the asset.
    """
    if isinstance(asset, dict):
        extra: dict[str, Any] = asset
        main = asset.get("href")
        main = main if main is not None and _is_absolute(main) else None
    else:
        extra = asset.extra_fields
        main = asset.href if _is_absolute(asset.href) else asset.get_absolute_href()
        if not whole:
            if base is None and asset.owner is not None:
                base = asset.owner.get_self_href()
            if context is None and any(key.startswith(_ACCESS) for key in extra):
                context = "{}"
    found: list[tuple[str, StacHints | None]] = []
    alternates = extra.get("alternate")
    if isinstance(alternates, dict) and (config.alternate_assets or config.fallback):
        for name in config.alternate_assets:
            if name in alternates:
                found.append(_alternate(alternates, name, base, context))
    if main is not None:
        found.append((main, _hints(extra, context)))
    if isinstance(alternates, dict) and config.fallback:
        for name, alternate in alternates.items():
            usable = isinstance(alternate, dict) and "href" in alternate
            if usable and name not in config.alternate_assets:
                found.append(_alternate(alternates, name, base, context))
    return found


def _alternate(
    alternates: dict[str, Any], name: str, base: str | None, context: str | None
) -> tuple[str, StacHints | None]:
    alternate = alternates[name]
    if not isinstance(alternate, dict) or "href" not in alternate:
        raise ValueError(f"invalid alternate asset definition (missing href): {alternates}")
    href = alternate["href"]
    if not _is_absolute(href):
        from pystac.utils import make_absolute_href

        href = make_absolute_href(href, base, start_is_dir=False)
    own = any(key.startswith(_ACCESS) for key in alternate)
    return href, _hints(alternate, context or ("{}" if own else None))


def _hints(extra: dict[str, Any], context: str | None) -> StacHints | None:
    if context is None:
        return None
    own = {key: value for key, value in extra.items() if key.startswith(_ACCESS)}
    return StacHints(context, json.dumps(own, default=str))


def _context(stac_object: Item | Collection) -> str | None:
    """Return what an object says of access to its assets, as JSON; None if it says nothing."""
    properties = getattr(stac_object, "properties", None) or {}
    speaks = _speaks(properties) or _speaks(stac_object.extra_fields)
    for asset in stac_object.assets.values():
        speaks = speaks or _speaks(asset.extra_fields)
    if not speaks:
        return None
    own = {key: value for key, value in properties.items() if key.startswith(_ACCESS)}
    top = {key: value for key, value in stac_object.extra_fields.items() if key.startswith(_ACCESS)}
    return json.dumps(top | {"properties": own}, default=str)


def _speaks(members: dict[str, Any]) -> bool:
    """Return whether any member speaks of access."""
    for key in members:  # noqa: SIM110  # a generator for each of thousands of assets takes three times as long
        if key.startswith(_ACCESS):
            return True
    return False


def _is_absolute(href: str) -> bool:
    if "://" in href or href.startswith("/"):
        return True
    from pystac.utils import is_absolute_href

    return bool(is_absolute_href(href))


def _absolute(href: str, own_href: str) -> str:
    """Return a relative href as an absolute one; pystac takes a path for a URL, and cuts it at ``#`` and ``?``."""
    if "://" in own_href:
        from pystac.utils import make_absolute_href

        return str(make_absolute_href(href, own_href))
    return os.path.abspath(os.path.join(os.path.dirname(own_href), href))


def _relative(href: str, own_href: str) -> str:
    """Return an href as seen from a document, as pystac would but for what `_absolute` says."""
    if "://" in href or "://" in own_href:
        from pystac.utils import make_relative_href

        return str(make_relative_href(href, own_href))
    found = os.path.relpath(href, os.path.dirname(own_href))
    return found if found.startswith("../") else f"./{found}"


def _base(directory: PathLikeObject) -> str:
    """Return a directory as a URL without a slash at its end, or as `Path` writes a path."""
    base = os.fspath(directory)
    return base.rstrip("/") if "://" in base else str(Path(base))


_MISREAD = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "%#?\\"})


def in_url(name: str) -> str:
    """Return a name as a URL has it: what would be read otherwise there is encoded."""
    return name.translate(_MISREAD)


def _below(base: str, name: str) -> str:
    """Return the place of a name in a directory that `_base` has returned."""
    if "://" in base:
        return f"{base}/{in_url(name)}"
    if "/" in name or name in ("", ".") or base in (".", "/"):
        return str(Path(base) / name)
    # A path object for each of thousands of files takes longer than all the rest of their plan.
    return f"{base}/{name}"


def _is_of(place: str, href: str) -> bool:
    """Whether a document that has the href is at the place already: it is not derived from itself."""
    return href == place or (
        href.endswith(place.rsplit("/", 1)[-1]) and href == os.path.abspath(place)
    )


def _forget_self_href(stac_object: Item | Collection) -> None:
    if stac_object.links and any(link.rel == "self" for link in stac_object.links):
        stac_object.set_self_href(None)


def _make_links_absolute(stac_object: Item | Collection) -> str | None:
    """Make the links absolute, and return the self href."""
    if not stac_object.links:
        return None
    own_href = stac_object.get_self_href()
    links = []
    for link in stac_object.links:
        target = link.target
        if own_href is None and isinstance(target, str) and not _is_absolute(target):
            # Nobody knows what it is relative to; the working directory is a wrong guess.
            links.append(link)
            continue
        href = link.get_absolute_href()
        if href:
            link.target = href
            links.append(link)
    stac_object.links = links
    return None if own_href is None else stac_object.get_self_href()


def _make_assets_absolute(stac_object: Item | Collection, own_href: str | None) -> None:
    for asset in stac_object.assets.values():
        if own_href is not None and isinstance(others := asset.extra_fields.get("alternate"), dict):
            _make_alternates_absolute(others, own_href)
        if "://" in asset.href or _is_absolute(asset.href):
            continue
        if own_href is None:
            from pystac import STACError

            raise STACError("Cannot make asset HREFs absolute if no self_href is set.")
        asset.href = _absolute(asset.href, own_href)


def _make_alternates_absolute(alternates: dict[str, Any], own_href: str) -> None:
    """Keep the alternates where they are: what is relative is so to the place that the object leaves."""
    for alternate in alternates.values():
        href = alternate.get("href") if isinstance(alternate, dict) else None
        if isinstance(href, str) and not _is_absolute(href):
            alternate["href"] = _absolute(href, own_href)


def _file_name(href: str) -> str:
    if "://" not in href:
        return _last(href)
    if "%" not in href and "?" not in href and "#" not in href:
        return href.rpartition("/")[2] or _last(href.partition("://")[2].partition("/")[2])
    path = urlsplit(href).path
    try:
        return _last(unquote(path, errors="strict"))
    except UnicodeDecodeError:
        # What is no text stays encoded: two names of another encoding are not to become one.
        return _last(path)


def _last(path: str) -> str:
    """Return the last segment, also of a directory that is written with a slash at its end."""
    return path.rstrip("/").rpartition("/")[2]


def _suffix(name: str) -> str:
    return Path(name).suffix


def _flat(key: str, subdirectories: bool) -> str:
    if ".." in key.split("/") or key.startswith("/"):
        stac_check_name(key, key)
    return key if subdirectories else key.replace("/", "_").replace("\\", "_")


async def save(stac_object: Item | Collection, config: Config) -> None:
    """Write an object to its self href, with hrefs as seen from there."""
    own_href = stac_object.get_self_href()
    if own_href is None:
        return
    for asset in stac_object.assets.values():
        # Files in a directory that was given as a relative path are seen from the working directory until now.
        href = asset.href if _is_absolute(asset.href) else os.path.abspath(asset.href)
        asset.href = _relative(href, own_href)
    text = json.dumps(stac_object.to_dict(include_self_link=True, transform_hrefs=False))
    await stac_write(own_href, text, config.target_config)


async def save_items(
    item_collection: ItemCollection, directory: PathLikeObject, file_name: str, config: Config
) -> None:
    """Write a collection of items, with absolute hrefs of their assets."""
    for item in item_collection.items:
        for asset in item.assets.values():
            if not _is_absolute(asset.href):
                asset.href = os.path.abspath(asset.href)
    place = _below(_base(directory), file_name)
    await stac_write(place, json.dumps(item_collection.to_dict()), config.target_config)
