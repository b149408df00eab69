"""A transformer for tests: answers with upper case, and does what the arguments of a request and the object's name say.

It speaks AIStore's contract with nothing but Python's own library: PUT, GET (the object is fetched), a web socket, direct
put, files. Objects whose names contain "refuse" are refused, "poison" kills the process, "slow" takes ten seconds,
"late" dies in the middle of the answer.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TARGET = os.environ["AIS_TARGET_URL"]


class Refused(Exception):
    """The object is not wanted."""


def transform(data, path, args):
    if "refuse" in path:
        raise Refused(f"{path} is refused")
    if "poison" in path:
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in path:
        time.sleep(10)
    if args == "sleep":
        time.sleep(0.05)
    return data.upper() + args.encode() if args != "sleep" else data.upper()


def send_on(urls, data):
    """Direct put: the length of what was sent, or what the next one has answered."""
    first, _, rest = urls.partition(",")
    target, url = urllib.parse.urlsplit(TARGET), urllib.parse.urlsplit(first)
    connection = http.client.HTTPConnection(url.netloc)
    headers = {"Ais-Node-Url": rest} if rest else {}
    connection.request("PUT", target.path + url.path, data, headers)
    reply = connection.getresponse()
    content = reply.read()
    if reply.status >= 300:
        raise ConnectionError(f"{reply.status} {content.decode()}")
    return len(data)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def work(self, data, path, query):
        args = query.get("etl_args", [""])[0]
        if file := query.get("etl_fqn", [""])[0]:
            file = urllib.parse.unquote(file)
            assert os.path.basename(file) == os.path.basename(path), (file, path)
            with open(file, "rb") as opened:
                data = opened.read()
        try:
            result = transform(data, path, args)
        except Refused as error:
            return self.answer(422, str(error).encode())
        if urls := self.headers.get("Ais-Node-Url"):
            length = send_on(urls, result)
            return self.answer(204, Ais_Direct_Put_Length=str(length))
        if "late" in path:
            # As servers of HTTP/1.0 answer: without a length.
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + result[: len(result) // 2]
            )
            self.wfile.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        self.answer(200, result)

    def split(self):
        url = urllib.parse.urlsplit(self.path)
        return urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query)

    def do_PUT(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.work(data, *self.split())

    def do_GET(self):
        path, query = self.split()
        if path == "/health":
            return self.answer(200, b"Running")
        if path == "/ws":
            return self.web_socket()
        try:
            with urllib.request.urlopen(TARGET + urllib.parse.urlsplit(self.path).path) as reply:
                self.work(reply.read(), path, query)
        except urllib.error.HTTPError as error:
            self.answer(error.code, error.read())

    def web_socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        )
        self.end_headers()
        self.close_connection = True
        while (control := self.message()) is not None:
            control = json.loads(control)
            path, args = control["path"], control.get("etl_args", "")
            if file := control.get("fqn"):
                with open(urllib.parse.unquote(file), "rb") as opened:
                    data = opened.read()
            else:
                data = self.message()
            try:
                result = transform(data, path, args)
            except Refused as error:
                self.send(1, f"Transform error: {error}".encode())
                continue
            if control.get("pipeline"):
                self.send(1, str(send_on(control["pipeline"], result)).encode())
            else:
                self.send(2, result)

    def message(self):
        whole = b""
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return None
            length = head[1] & 127
            if length == 126:
                (length,) = struct.unpack(">H", self.rfile.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self.rfile.read(8))
            mask = self.rfile.read(4)
            data = bytearray(self.rfile.read(length))
            for index in range(4):
                data[index::4] = bytes(byte ^ mask[index] for byte in data[index::4])
            whole += data
            if head[0] & 128:
                return whole

    def send(self, opcode, data):
        # In two fragments and with a ping between them, where there is enough.
        parts = [data] if len(data) < 1000 else [data[:999], data[999:]]
        for index, part in enumerate(parts):
            first = (opcode if index == 0 else 0) | (128 if index + 1 == len(parts) else 0)
            size = len(part)
            head = (
                struct.pack(">BB", first, size)
                if size < 126
                else struct.pack(">BBQ", first, 127, size)
            )
            self.wfile.write(head + part)
            if index + 1 < len(parts):
                self.wfile.write(b"\x89\x01p")
                self.wfile.flush()


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if argument == "--never":
            time.sleep(1000)
        if argument == "--broken":
            sys.exit("this transformer is broken")
        if argument.startswith("--child="):
            # One that leaves the group of its parent.
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(1000)", argument],
                start_new_session=True,
            )
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", argument])
    print("the transformer starts", flush=True)
    server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    server.request_queue_size = 64
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server.serve_forever()
