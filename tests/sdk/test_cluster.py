"""The cluster as the server shows it."""

import pytest
from aistore.sdk import Client
from conftest import SDK, put


def test_it_is_ready(client):
    assert client.cluster().is_ready()
    assert not Client("http://127.0.0.1:9").cluster().is_ready()


def test_the_map(client):
    smap = client.cluster().get_info()
    assert len(smap.tmap) == 1 and len(smap.pmap) == 1 and smap.uuid
    assert client.cluster().get_primary_url() == smap.proxy_si.public_net.direct_url
    assert client.cluster().get_uuid() == smap.uuid


def test_performance(client, bucket):
    put(bucket, "o", b"abc")
    performance = client.cluster().get_performance()
    assert performance


@pytest.mark.skipif(SDK < (1, 23), reason="this generation of the SDK reads no logs")
def test_logs(client, bucket):
    cluster = client.cluster()
    node = next(iter(cluster.get_info().tmap))
    assert bucket.name in cluster.get_node_log(node)
    assert cluster.get_node_log_archive(node)[:2] == b"\x1f\x8b"


def test_buckets_of_clouds_are_missing(client):
    from aistore.sdk.errors import AISError

    with pytest.raises(AISError) as caught:
        client.bucket("none-here", provider="aws").list_objects()
    assert caught.value.status_code == 404
