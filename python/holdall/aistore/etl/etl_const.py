"""Words and defaults of ETLs."""

DEFAULT_ETL_COMM = "hpush"
DEFAULT_ETL_TIMEOUT = "5m"
DEFAULT_ETL_OBJ_TIMEOUT = "45s"

# How content gets to the transformer: it is sent, fetched, or passed through a web socket.
ETL_COMM_HPUSH = "hpush"
ETL_COMM_HPULL = "hpull"
ETL_COMM_WS = "ws"
ETL_COMM_OPTIONS = [ETL_COMM_HPUSH, ETL_COMM_HPULL, ETL_COMM_WS]

ETL_STAGE_INIT = "Initializing"
ETL_STAGE_RUNNING = "Running"
ETL_STAGE_ABORTED = "Aborted"

# Versions that there are images for.
ETL_SUPPORTED_PYTHON_VERSIONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]

# What a container runs for a server over FastAPI.
FASTAPI_CMD = [
    "uvicorn",
    "fastapi_server:fastapi_app",
    "--host",
    "0.0.0.0",
    "--port",
    "8000",
    "--workers",
    "4",
    "--no-access-log",
]
