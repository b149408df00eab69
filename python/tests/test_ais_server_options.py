"""Options of the AIS server in this process: who may do what, and what goes wrong on purpose."""

import json
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from holdall import aistore


def ask(
    url: str, method: str = "GET", body: Any = None, token: str | None = None
) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def login(server: aistore.Server, password: str) -> str:
    status, reply = ask(f"{server.authn_url}/v1/users/admin", "POST", {"password": password})
    assert status == 200
    return json.loads(reply)["token"]


LIST = {"action": "list", "name": "", "value": None}


def test_everybody_is_asked(tmp_path: Path) -> None:
    with aistore.serve(tmp_path, auth=True) as server:
        password = server.admin_password
        assert password
        assert server.authn_url == server.url
        assert ask(f"{server.url}/v1/buckets", body=LIST)[0] == 401
        token = login(server, password)
        assert ask(f"{server.url}/v1/buckets", body=LIST, token=token)[0] == 200
        assert password not in repr(server)
    with aistore.serve(tmp_path, auth=aistore.Auth(listen="127.0.0.1:0")) as server:
        assert server.admin_password is None
        assert server.authn_url != server.url
        assert login(server, password)
    with aistore.serve(tmp_path) as server:
        assert server.authn_url is None


def test_our_own_client_logs_in() -> None:
    with aistore.serve(auth=aistore.Auth(password="admin", algorithm="RS256")) as server:
        token = login(server, "admin")
        bucket = aistore.Client(server.url, token=token).bucket("b").create()
        bucket.object("o").get_writer().put_content(b"content")
        assert bucket.object("o").get_reader().read_all() == b"content"
        with pytest.raises(aistore.errors.AISError) as caught:
            aistore.Client(server.url).bucket("b").object("o").get_reader().read_all()
        assert caught.value.status_code == 401


@pytest.mark.parametrize(
    ("auth", "says"),
    [
        (aistore.Auth(password=""), "empty"),
        (aistore.Auth(listen="nowhere"), "listen"),
        (aistore.Auth(algorithm="none"), "algorithm"),  # type: ignore[arg-type]
        (aistore.Auth(key_file="/no/such/key"), "/no/such/key"),
        (aistore.Auth(token_life=timedelta(seconds=1)), "minute"),
    ],
)
def test_what_cannot_be_is_refused(auth: aistore.Auth, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        aistore.serve(auth=auth)


def test_passwords_are_not_shown() -> None:
    assert "hush" not in repr(aistore.Auth(password="hush"))
    with pytest.raises(TypeError, match="auth must be"):
        aistore.serve(auth="hush")  # type: ignore[arg-type]


def test_faults_from_a_dictionary_and_from_files(tmp_path: Path) -> None:
    rule = {"name": "once", "kind": "status", "method": "GET", "path": "/v1/health", "limit": 1}
    in_json, in_toml = tmp_path / "plan.json", tmp_path / "plan.toml"
    in_json.write_text(json.dumps({"fault": [rule]}))
    in_toml.write_text("[[fault]]\n" + "\n".join(f"{k} = {json.dumps(v)}" for k, v in rule.items()))
    for plan in ({"fault": [rule]}, in_json, str(in_toml)):
        with aistore.serve(faults=plan) as server:
            statuses = [ask(f"{server.url}/v1/health")[0] for _ in range(3)]
            assert statuses == [503, 200, 200]
            assert server.faults() == [aistore.FaultCount("once", "status", 3, 1)]
    with aistore.serve() as server:
        assert server.faults() == []


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({}, "no .*fault"),
        ({"fault": [{"kind": "nope"}]}, "nope"),
        ({"fault": [{"kind": "cut", "probability": 3}]}, "probability 3"),
        ("/no/such/plan.toml", "/no/such/plan.toml"),
    ],
)
def test_plans_that_cannot_be_meant(plan: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        aistore.serve(faults=plan)
