"""The server's pages, in a browser: what people see, what strangers' words cannot do.

With ``HOLDALL_SCREENSHOTS`` set to a folder, pictures of the pages for the documentation are written there.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import threading
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import pytest

from holdall import aistore

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
CHROMIUM = next(
    filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

HOSTILE = "<img src=x onerror=\"document.title='owned'\">&amp;' +%2F#?.txt"
ITEM = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "LC09_L2SP_036032",
    "collection": "landsat-c2-l2",
    "bbox": [-111.2, 38.9, -108.4, 41.1],
    "geometry": None,
    "properties": {"datetime": "2026-06-21T17:51:08Z", "eo:cloud_cover": 3.4, "title": "Utah"},
    "assets": {
        "thumbnail": {"href": "./thumb.png", "type": "image/png", "roles": ["thumbnail"]},
        "red": {"href": "./B4.tif", "type": "image/tiff; application=geotiff", "roles": ["data"]},
        "away": {"href": "javascript:document.title='owned'", "title": "<b>bold</b>"},
    },
    "links": [{"rel": "parent", "href": "../collection.json"}],
}


def png(width: int, height: int) -> bytes:
    """A picture: hills under a sky."""
    rows = b""
    for y in range(height):
        row = bytearray([0])
        for x in range(width):
            hill = height * 0.55 + 18 * ((x / 37) % 1 - 0.5) * ((x // 37) % 2 * 2 - 1) + x * 0.05
            row += (
                bytes((70 + y // 3, 120 - y // 4, 70))
                if y > hill
                else bytes((150, 190 - y // 2, 225))
            )
        rows += bytes(row)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


class Ais:
    """The server, filled through its own API."""

    def __init__(self, url: str) -> None:
        self.url = url

    def request(self, method: str, path: str, body: bytes | dict | None = None) -> bytes:
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, data=data, method=method)
        ) as reply:
            return reply.read()

    def create(self, bucket: str) -> None:
        self.request("POST", f"/v1/buckets/{bucket}", {"action": "create-bck"})

    def put(self, bucket: str, name: str, data: bytes) -> None:
        self.request("PUT", f"/v1/objects/{bucket}/{urllib.parse.quote(name)}", data)


@pytest.fixture(scope="module")
def ais():
    with aistore.serve() as server:
        ais = Ais(server.url)
        for bucket in ("landsat", "models", "training"):
            ais.create(bucket)
        ais.put("landsat", "2026/LC09_L2SP_036032/item.json", json.dumps(ITEM, indent=2).encode())
        ais.put("landsat", "2026/LC09_L2SP_036032/thumb.png", png(320, 200))
        ais.put("landsat", "2026/LC09_L2SP_036032/B4.tif", b"II*\0" + bytes(range(256)) * 4000)
        ais.put(
            "landsat",
            "2026/collection.json",
            b'{"type": "Collection", "stac_version": "1.1.0", "id": "c"}',
        )
        ais.put("landsat", "readme.md", "Scenes of June 2026 — grüße\n".encode())
        ais.put("models", "resnet50/config.yaml", b"lr: 0.01\n")
        ais.put("models", HOSTILE, b"<script>document.title='owned'</script>")
        for number in range(450):
            ais.put("training", f"shards/shard-{number:06}.tar", os.urandom(2000))
        yield ais


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


class Page:
    """A page, and all that it asked for or complained of."""

    def __init__(self, browser, ais: Ais, scheme: str = "light") -> None:
        self.ais = ais
        self.context = browser.new_context(
            viewport={"width": 1100, "height": 720}, color_scheme=scheme
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str):
        self.page.goto(f"{self.ais.url}{path}")
        self.page.wait_for_selector("main h1")
        return self.page

    def picture(self, name: str) -> None:
        folder = os.environ.get("HOLDALL_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=Path(folder) / f"ui-{name}.png")


@pytest.fixture
def shown(browser, ais, request):
    page = Page(browser, ais, getattr(request, "param", "light"))
    yield page
    foreign = [url for url in page.asked if not url.startswith((ais.url, "blob:"))]
    assert not foreign
    assert not page.complaints
    assert page.page.title() != "owned"
    page.context.close()


def texts(page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def test_buckets_with_their_sizes(shown):
    page = shown.open("/ui/")
    expect(page.locator("td", has_text="…")).to_have_count(0)
    rows = texts(page, "tbody tr")
    assert len(rows) == 3
    assert rows[2].split("\t")[:4] == ["training", "ais", "450", "879 KiB"]
    shown.picture("buckets")
    page.fill("input[type=search]", "mod")
    assert page.locator("tbody tr:visible").count() == 1


def test_a_browser_that_asks_for_nothing_finds_the_pages(shown, ais):
    shown.open("/")
    assert shown.page.url.startswith(f"{ais.url}/ui/")


def test_levels_and_pages_of_a_bucket(shown):
    page = shown.open("/ui/#/b/ais/training")
    page.get_by_role("link", name="shards/").click()
    expect(page.locator("tbody tr")).to_have_count(200)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tbody tr")).to_have_count(400)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("tbody tr")).to_have_count(450)
    assert page.get_by_role("button", name="Show more").is_hidden()
    page.fill("input[type=search]", "shards/shard-00004")
    page.press("input[type=search]", "Enter")
    expect(page.locator("tbody tr")).to_have_count(10)


def test_a_stac_item_with_its_picture_and_files(shown):
    page = shown.open("/ui/#/b/ais/landsat?prefix=2026/LC09_L2SP_036032/")
    shown.picture("objects")
    page.get_by_role("link", name="item.json").click()
    page.wait_for_selector("img.picture")
    assert "LC09_L2SP_036032" in page.inner_text("main")
    assert page.locator("svg.map rect.box").count() == 1
    # What is not in this bucket is told, and not a link.
    assert page.locator("a[href^=javascript]").count() == 0
    assert "<b>bold</b>" in page.inner_text("main")
    shown.picture("stac")
    page.get_by_role("link", name="../collection.json").click()
    page.wait_for_selector("text=STAC collection")
    assert page.url.endswith("name=2026%2Fcollection.json")


def test_text_bytes_and_downloads(shown, ais, tmp_path):
    page = shown.open("/ui/#/o/ais/landsat?name=readme.md")
    page.wait_for_selector("pre")
    assert page.inner_text("pre") == "Scenes of June 2026 — grüße\n"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "readme.md"
    assert Path(download.value.path()).read_text() == "Scenes of June 2026 — grüße\n"
    page.goto(f"{ais.url}/ui/#/o/ais/landsat?name=2026/LC09_L2SP_036032/B4.tif")
    page.wait_for_selector("text=The first bytes")
    assert page.inner_text("pre").startswith("00000000  49 49 2a 00 00 01")


def test_names_and_contents_are_only_text(shown):
    page = shown.open("/ui/#/b/ais/models")
    page.get_by_text("<img src=x").click()
    page.wait_for_selector("pre")
    assert page.inner_text("h1") == HOSTILE
    assert page.inner_text("pre") == "<script>document.title='owned'</script>"
    assert page.locator("main img").count() == 0


def test_what_strangers_wrote_is_no_page_of_ours(shown, ais):
    ais.request("PUT", "/s3/evil", b"")
    request = urllib.request.Request(
        f"{ais.url}/s3/evil/page.html",
        data=b"<title>evil</title><script>document.title='owned'</script>",
        method="PUT",
        headers={"Content-Type": "text/html"},
    )
    urllib.request.urlopen(request).close()
    shown.page.goto(f"{ais.url}/s3/evil/page.html")
    assert shown.page.title() == "evil"
    assert shown.page.evaluate("window.origin") == "null"
    shown.complaints.clear()  # the browser tells that it ran nothing
    ais.request("DELETE", "/s3/evil")


def test_jobs_go_on_while_they_are_looked_at(shown, ais):
    page = shown.open("/ui/#/jobs")
    page.wait_for_selector("text=No job has run")
    ais.request(
        "POST", "/v1/buckets/training?bck_to=ais/@%23/copied/", {"action": "copy-bck", "value": {}}
    )
    page.wait_for_selector("text=copy-bck")
    page.wait_for_selector(".tag.good >> text=done")
    assert "ais://training → ais://copied" in page.inner_text("tbody")
    assert "450" in page.inner_text("tbody")
    ais.request(
        "DELETE",
        "/v1/buckets/copied",
        {"action": "delete-listrange", "value": {"template": "shards/shard-{000000..000099}.tar"}},
    )
    expect(page.locator("tbody tr")).to_have_count(2)
    shown.picture("jobs")
    ais.request("DELETE", "/v1/buckets/copied", {"action": "destroy-bck"})


@pytest.mark.parametrize("shown", ["dark"], indirect=True)
def test_throughput_over_time(shown, ais):
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            size = 40_000 if number % 900 < 450 else 4_000
            ais.put("models", "work", bytes(size))
            for _ in range(2):
                ais.request("GET", "/v1/objects/landsat/2026/LC09_L2SP_036032/B4.tif")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        page = shown.open("/ui/#/activity")
        for tile in ("Reading", "Writing"):
            moved = page.locator(".tile", has_text=tile).locator("b")
            expect(moved).not_to_have_text("0 B/s", timeout=60_000)
        if os.environ.get("HOLDALL_SCREENSHOTS"):
            page.wait_for_timeout(60_000)
        assert page.locator("svg.chart polyline").count() == 4
        shown.picture("activity")
    finally:
        stop.set()
        worker.join()


def test_with_the_keyboard_alone(shown):
    page = shown.open("/ui/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "page"
    page.keyboard.press("j")
    page.wait_for_selector("h1 >> text=Jobs")
    assert page.evaluate("document.activeElement.id") == "page"
    held = []
    page.route("**/ui/api/size?*", lambda route: held.append(route))
    page.keyboard.press("b")
    page.wait_for_selector("h1 >> text=Buckets")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    # What comes later takes nothing from whoever writes.
    pending = "[...document.querySelectorAll('td.number')].some(td => td.innerText == '…')"
    while page.evaluate(pending):
        while held:
            held.pop().continue_()
        page.wait_for_timeout(10)
    assert page.evaluate("document.activeElement.type") == "search"


def test_who_is_not_known_signs_in(shown):
    page = shown.page
    seen = []

    def answer(route) -> None:
        seen.append(route.request.headers.get("authorization"))
        if seen[-1] == "Bearer right":
            route.continue_()
        else:
            route.fulfill(status=401, json={"message": "no token"})

    page.route("**/ui/api/**", answer)
    page.goto(f"{shown.ais.url}/ui/")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Use the token").click()
    page.wait_for_selector("text=no token")
    page.get_by_label("Token").fill("right")
    page.get_by_role("button", name="Use the token").click()
    page.wait_for_selector("h1 >> text=Buckets")
    assert page.get_by_role("button", name="Sign out").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_selector("h1 >> text=Sign in")
    shown.complaints.clear()  # of the refusals


def test_signing_in_where_the_server_asks(browser):
    with aistore.serve(auth=aistore.Auth(password="right one")) as server:
        shown = Page(browser, Ais(server.url))
        page = shown.page
        page.goto(server.url)
        page.get_by_label("User").fill("admin")
        page.get_by_label("Password").fill("wrong one")
        page.get_by_role("button", name="Sign in").last.click()
        expect(page.locator("[role=status]")).not_to_have_text("…")
        page.get_by_label("Password").fill("right one")
        page.get_by_role("button", name="Sign in").last.click()
        page.wait_for_selector("h1 >> text=Buckets")
        token = page.evaluate("sessionStorage.getItem('holdall-token')")
        for method, path, body in [
            ("POST", "/v1/buckets/b", b'{"action": "create-bck"}'),
            ("PUT", "/v1/objects/b/readme.md", b"for those who may"),
        ]:
            request = urllib.request.Request(
                server.url + path,
                data=body,
                method=method,
                headers={"Authorization": f"Bearer {token}"},
            )
            urllib.request.urlopen(request).close()
        page.goto(f"{server.url}/ui/#/o/ais/b?name=readme.md")
        page.wait_for_selector("pre")
        assert page.inner_text("pre") == "for those who may"
        # The token goes along, which a plain link could not do.
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        assert Path(download.value.path()).read_bytes() == b"for those who may"
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_selector("h1 >> text=Sign in")
        shown.context.close()


def test_the_server_tells_browsers_what_not_to_do(ais):
    for path in ("/ui/", "/ui/main.js", "/ui/api/buckets"):
        with urllib.request.urlopen(ais.url + path) as reply:
            assert reply.headers["x-content-type-options"] == "nosniff"
    with urllib.request.urlopen(ais.url + "/ui/") as reply:
        policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
