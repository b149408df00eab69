"""ETL: objects transformed by the cluster on their way.

`Etl` manages a transformer; `ETLConfig` says which one a read, a copy or a listing of URLs passes through. Transformers are
classes over one of the bases in `holdall.aistore.etl.webserver`.
"""

from .etl import Etl
from .etl_config import ETLConfig
from .webserver.utils import serialize_class

__all__ = ["ETLConfig", "Etl", "serialize_class"]
