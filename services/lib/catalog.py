"""Which services there are."""

from .azurite import Azurite
from .gcs import Gcs
from .minio import Minio
from .nginx import Nginx
from .service import Service
from .toxiproxy import Toxiproxy
from .versitygw import Versitygw

#: In the order in which they are started: what others need comes first, what takes longest to build comes last.
SERVICES: dict[str, Service] = {
    service.name: service
    for service in (Versitygw(), Nginx(), Azurite(), Gcs(), Toxiproxy(), Minio())
}

#: Started only when asked for, by name or with `--full`.
EXTRA = {"minio"}


def chosen(names: list[str], full: bool) -> list[Service]:
    """The services that were asked for and those that they need, in starting order."""
    wanted = set(names) or {name for name in SERVICES if full or name not in EXTRA}
    if full:
        wanted |= EXTRA
    for name in list(wanted):
        wanted |= set(SERVICES[name].needs)
    return [service for name, service in SERVICES.items() if name in wanted]
