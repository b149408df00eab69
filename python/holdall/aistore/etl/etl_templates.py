"""Pods of transformers that AIStore's project publishes, for `Etl.init_spec`. Deprecated: `Etl.init` takes their images.

Each is a text with places to fill in by ``format``: ``{communication_type}``, and what its environment names.
"""

_POD = """apiVersion: v1
kind: Pod
metadata:
  name: transformer-{pod}
  annotations:
    communication_type: "{{communication_type}}://"
    wait_timeout: 5m
spec:
  containers:
    - name: server
      image: aistorage/transformer_{name}:latest
      imagePullPolicy: Always
      ports:
        - name: default
          containerPort: {port}
      command: [{command}]
      readinessProbe:
        httpGet:
          path: /health
          port: default
"""


def _pod(name: str, command: str, port: int = 8000, env: dict[str, str] | None = None) -> str:
    words = ", ".join(f"'{word}'" for word in command.split())
    text = _POD.format(pod=name.replace("_", "-"), name=name, port=port, command=words)
    if env:
        text += "      env:\n"
    for variable, value in (env or {}).items():
        text += f"        - name: {variable}\n          value: '{value}'\n"
    return text


_FASTAPI = "uvicorn fastapi_server:fastapi_app --host 0.0.0.0 --port 8000 --workers 4"
_MAIN = (
    "gunicorn main:app --workers 4 --worker-class uvicorn.workers.UvicornWorker --bind 0.0.0.0:8000"
)
_GO = "./echo -l 0.0.0.0 -p 80"
_SCRIPT = "/code/server.py --listen 0.0.0.0 --port 80"
_IMAGE = {"FORMAT": "{format}", "TRANSFORM": "{transform}"}

MD5 = _pod("md5", _FASTAPI)
"""The MD5 of the content."""

HELLO_WORLD = _pod("hello_world", _FASTAPI)
"""The words "Hello World!", whatever the content."""

GO_HELLO_WORLD = _pod("hello_world_go", _GO, 80)
"""The same, by a program in Go."""

ECHO = _pod("echo", _FASTAPI)
"""The content."""

GO_ECHO = _pod("echo_go", _GO, 80)
"""The same, by a program in Go."""

HASH = _pod("hash_with_args", _FASTAPI, env={"SEED_DEFAULT": "0"})
"""The xxHash of the content; the request's argument is its seed."""

TAR2TF = _pod("tar2tf", "./tar2tf -l 0.0.0.0 -p 80 {arg} {val}", 80)
"""A tar as TFRecords."""

COMPRESS = _pod("compress", _SCRIPT, 80, env={"COMPRESS_OPTIONS": "{compress_options}"})
"""The content compressed."""

FFMPEG = _pod("ffmpeg", _SCRIPT, 80, env={"FFMPEG_OPTIONS": "{ffmpeg_options}"})
"""Sound and film through FFmpeg."""

KERAS_TRANSFORMER = _pod("keras", _MAIN, env=_IMAGE)
"""An image through transforms of Keras."""

TORCHVISION_TRANSFORMER = _pod("torchvision", _MAIN, env=_IMAGE)
"""An image through transforms of torchvision."""

FACE_DETECTION_TRANSFORMER = _pod("face_detection", _MAIN, env={"FORMAT": "{format}"})
"""An image with the faces in it framed."""
