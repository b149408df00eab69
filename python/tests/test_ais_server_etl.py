"""Transformers of the AIS server in this process."""

import sys

import pytest

from holdall import aistore
from holdall.aistore.errors import AISError
from holdall.aistore.etl import ETLConfig
from holdall.aistore.etl.webserver import HTTPMultiThreadedServer


def test_they_have_to_be_allowed() -> None:
    with aistore.serve() as server, pytest.raises(AISError, match="allow-etl"):
        aistore.Client(server.url).etl("etl-test").init(image="aistorage/transformer_md5")
    with pytest.raises(TypeError, match="allow_etl must be"):
        aistore.serve(allow_etl="yes")  # type: ignore[arg-type]


def test_a_standard_transformer_and_a_command() -> None:
    script = (
        "import http.server as h, os\n"
        "class Handler(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self): self.answer(b'Running')\n"
        "    def do_PUT(self): self.answer(self.rfile.read(int(self.headers['Content-Length']))[::-1])\n"
        "    def answer(self, data): self.send_response(200); self.end_headers(); self.wfile.write(data)\n"
        "h.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()\n"
    )
    images = {"mine/reverse": [sys.executable, "-c", script]}
    transformers = aistore.Transformers(images=images, open_files=256)
    with aistore.serve(allow_etl=transformers) as server:
        client = aistore.Client(server.url)
        bucket = client.bucket("b").create()
        bucket.object("o").get_writer().put_content(b"content")
        client.etl("etl-md5").init(image="aistorage/transformer_md5:latest")
        client.etl("etl-reverse").init(image="mine/reverse:latest")
        for etl, result in [
            (ETLConfig("etl-md5"), b"9a0364b9e99bb480dd25e1f0284c8555"),
            (ETLConfig("etl-reverse"), b"tnetnoc"),
        ]:
            assert bucket.object("o").get_reader(etl=etl).read_all() == result
        stages = [info.stage for info in client.cluster().list_etls()]
        assert stages == ["Running", "Running"]
        with pytest.raises(TypeError, match=r"get_reader: .*ETLConfig\(name\)"):
            bucket.object("o").get_reader(etl=client.etl("etl-md5"))
        with client.etl("etl-md5") as md5:
            pod = md5.view().init_msg.spec
            assert pod is not None and b"aistorage/transformer_md5:latest" in pod
            # It goes at the end of the block, stopped already or not.
            md5.stop()
        with client.etl("etl-reverse") as reverse:
            reverse.delete()
        every = client.cluster().list_etls(["Running", "Initializing", "Aborted"])
        assert every == []


async def test_a_class_is_started_and_awaited() -> None:
    pytest.importorskip("cloudpickle")

    # Sent as it is, since it is in no module that the transformer could import.
    class Reverse(HTTPMultiThreadedServer):
        def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
            return data[::-1]

    with aistore.serve(allow_etl=True) as server:
        client = aistore.Client(server.url)
        bucket = client.bucket("b").create()
        await bucket.object("o").get_writer().put_content_async(b"content")
        etl = client.etl("etl-reverse")
        assert await etl.init_class_async(Reverse, init_timeout="2m")
        reader = bucket.object("o").get_reader(etl=ETLConfig("etl-reverse"))
        assert await reader.read_all_async() == b"tnetnoc"
        with pytest.raises(TypeError, match="int"):
            await client.etl("etl-other").init_class_async(int)  # type: ignore[arg-type]
