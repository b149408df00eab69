"""Transfers of many objects: prefixes, directories, synchronisations and their plans."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import time

import pytest
from conftest import s3_settings

import holdall
from holdall.exceptions import InvalidArgumentError, NotFoundError, TransferError
from holdall.store import LocalStore, MemoryStore, S3Store

FILES = {"a.txt": b"1", "b/c.txt": b"22", "b/d.bin": b"333", "b/e/f.txt": b""}


@pytest.fixture
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for name, data in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def content(store, prefix=None) -> dict[str, bytes]:
    keys = [meta["path"] for meta in holdall.list(store, prefix).collect()]
    return {key: bytes(holdall.get(store, key).bytes()) for key in keys}


def test_a_directory_goes_up_and_a_prefix_comes_down(store, tree, tmp_path):
    up = holdall.upload_dir(store, "some/prefix", tree)
    assert up.ok and not up.failed
    assert up.bytes == 6
    assert {outcome.source for outcome in up} == set(FILES)
    assert all(o.action == "copy" and o.report.bytes == o.size for o in up)
    assert content(store, "some") == {f"some/prefix/{name}": data for name, data in FILES.items()}
    down = holdall.download_prefix(store, "some/prefix", tmp_path / "down")
    assert down.ok
    assert content(LocalStore(tmp_path / "down")) == FILES


async def test_the_same_async(store, tree, tmp_path_factory):
    await holdall.upload_dir_async(store, None, tree, workers=2)
    down = tmp_path_factory.mktemp("down")
    await holdall.download_prefix_async(store, "b", down)
    assert set(content(LocalStore(down))) == {"c.txt", "d.bin", "e/f.txt"}
    other = MemoryStore()
    await holdall.copy_prefix_async(store, "b", other, "x")
    assert set(content(other)) == {"x/c.txt", "x/d.bin", "x/e/f.txt"}


def test_filters(tree):
    store = MemoryStore()
    holdall.upload_dir(store, "all", tree, include="*.txt", exclude=["b/e/**"])
    assert set(content(store, "all")) == {"all/a.txt", "all/b/c.txt", "all/b/e/f.txt"}
    holdall.upload_dir(store, "some", tree, exclude=["b/e/**", "*.bin"])
    assert set(content(store, "some")) == {"some/a.txt", "some/b/c.txt"}


def test_places_can_be_stores_urls_and_directories(tree, tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    holdall.copy_prefix(tree, "b", target.as_uri(), "x")
    assert set(content(LocalStore(target))) == {"x/c.txt", "x/d.bin", "x/e/f.txt"}


def test_failures_carry_all_outcomes(store, tree, tmp_path_factory):
    holdall.upload_dir(store, None, tree)
    down = tmp_path_factory.mktemp("down")
    (down / "a.txt").mkdir(parents=True)
    (down / "a.txt" / "in the way").touch()
    with pytest.raises(TransferError, match="1 of 4 objects failed") as raised:
        holdall.download_prefix(store, None, down)
    result = raised.value.result
    assert [outcome.source for outcome in result.failed] == ["a.txt"]
    assert len(result.done) == 3
    assert raised.value.__cause__ is result.failed[0].error
    assert isinstance(result.failed[0].error, OSError)
    assert (down / "b" / "d.bin").read_bytes() == b"333"
    copy = pickle.loads(pickle.dumps(raised.value))
    assert str(copy) == str(raised.value)
    assert len(copy.result.outcomes) == 4
    returned = holdall.download_prefix(store, None, down, on_error="return")
    assert not returned.ok
    with pytest.raises(TransferError):
        returned.raise_for_errors()
    with pytest.raises(ValueError, match="on_error"):
        holdall.download_prefix(store, None, down, on_error="ignore")


def test_what_exists_fails_without_overwriting(store, tree):
    holdall.put(store, "p/a.txt", b"theirs")
    result = holdall.upload_dir(store, "p", tree, overwrite=False, on_error="return")
    assert [o.source for o in result.failed] == ["a.txt"]
    assert isinstance(result.failed[0].error, FileExistsError)
    assert bytes(holdall.get(store, "p/a.txt").bytes()) == b"theirs"


def test_a_place_is_not_copied_into_itself(store, tree):
    holdall.upload_dir(store, "p", tree)
    with pytest.raises(InvalidArgumentError, match="keep them apart"):
        holdall.copy_prefix(store, "p", store, "p/below")
    with pytest.raises(InvalidArgumentError, match="keep them apart"):
        holdall.sync(store, store)
    with pytest.raises(InvalidArgumentError, match="keep them apart"):
        holdall.copy_prefix(tree, None, tree / "below", None)
    with pytest.raises(InvalidArgumentError, match="keep them apart"):
        holdall.sync(tree, tree.parent, delete=True)
    holdall.copy_prefix(store, "p", store, "prefix")
    assert set(content(store, "prefix")) == {f"prefix/{name}" for name in FILES}


def test_a_service_that_was_opened_twice_is_one(s3_store, tree):
    holdall.upload_dir(s3_store, "p", tree)
    options = {"config": s3_settings(), "client_options": {"allow_http": True}}
    below = S3Store("test-bucket", prefix=f"{s3_store.prefix}/p", **options)
    for delete in [True, False]:
        with pytest.raises(InvalidArgumentError, match="keep them apart"):
            holdall.sync(s3_store, below, delete=delete)
    with pytest.raises(InvalidArgumentError, match="lies inside of it and would be deleted"):
        holdall.sync(below, s3_store, delete=True)
    with pytest.raises(InvalidArgumentError, match="lies inside of it and would be deleted"):
        holdall.plan_sync(below, s3_store, delete=True)
    assert set(content(below)) == set(FILES)
    # By another name of the same machine: what is moved is still there.
    other = s3_settings()["endpoint"].replace("127.0.0.1", "localhost")
    renamed = S3Store(
        "test-bucket",
        config=s3_settings() | {"endpoint": other},
        client_options={"allow_http": True},
    )
    with pytest.raises(InvalidArgumentError, match="seems to be the same object"):
        holdall.move(below, "a.txt", renamed, f"{s3_store.prefix}/p/a.txt")
    assert set(content(below)) == set(FILES)


def test_sync_copies_what_differs(store, tree):
    first = holdall.sync(tree, store)
    assert len(first.outcomes) == 4
    second = holdall.sync(tree, store)
    assert second.outcomes == []
    assert (second.skipped, second.skipped_bytes) == (4, 6)
    (tree / "a.txt").write_bytes(b"changed")
    (tree / "b" / "new").write_bytes(b"new")
    (tree / "b" / "c.txt").unlink()
    third = holdall.sync(tree, store)
    assert {outcome.source for outcome in third} == {"a.txt", "b/new"}
    assert "b/c.txt" in content(store)
    fourth = holdall.sync(tree, store, delete=True)
    assert [(o.action, o.target) for o in fourth] == [("delete", "b/c.txt")]
    assert content(store) == content(LocalStore(tree))


async def test_sync_async(store, tree):
    result = await holdall.sync_async(tree, store, compare="size")
    assert result.bytes == 6
    plan = await holdall.plan_sync_async(tree, store, compare="size")
    assert plan.actions == []


def test_ways_to_compare(tree):
    store = MemoryStore()
    holdall.sync(tree, store)
    (tree / "a.txt").write_bytes(b"9")
    past = time.time() - 3600
    os.utime(tree / "a.txt", (past, past))
    assert holdall.plan_sync(tree, store).actions == []
    assert holdall.plan_sync(tree, store, compare="size").actions == []
    plan = holdall.plan_sync(tree, store, compare="checksum")
    assert [(action.path, action.reason) for action in plan] == [("a.txt", "different")]
    with pytest.raises(ValueError, match="compare is"):
        holdall.sync(tree, store, compare="name")


def test_a_plan_is_data_and_is_followed(store, tree):
    holdall.put(store, "old", b"old")
    holdall.put(store, "a.txt", b"longer")
    plan = holdall.sync(tree, store, delete=True, dry_run=True)
    assert content(store) == {"old": b"old", "a.txt": b"longer"}
    reasons = {action.path: (action.action, action.reason) for action in plan.actions}
    assert reasons == {
        "a.txt": ("copy", "different"),
        "b/c.txt": ("copy", "missing"),
        "b/d.bin": ("copy", "missing"),
        "b/e/f.txt": ("copy", "missing"),
        "old": ("delete", None),
    }
    assert plan.bytes == 6
    assert "4 to copy (6 bytes), 1 to delete" in str(plan)
    again = holdall.SyncPlan.from_json(plan.to_json(indent=2))
    assert again == plan
    assert json.loads(plan.to_json())["actions"][0]["path"] == "a.txt"
    again.actions.remove(again.copies[1])
    result = holdall.sync(tree, store, plan=again)
    assert len(result.outcomes) == 4
    assert set(content(store)) == {"a.txt", "b/d.bin", "b/e/f.txt"}
    with pytest.raises(ValueError, match="not the JSON of a SyncPlan"):
        holdall.SyncPlan.from_json('{"source": "x"}')


def test_a_plan_is_for_its_places_and_has_the_last_word(tree, tmp_path):
    store = MemoryStore()
    plan = holdall.plan_sync(tree, store)
    with pytest.raises(ValueError, match="the plan is for the source"):
        holdall.sync(store, store, plan=plan)
    with pytest.raises(ValueError, match="plan_sync"):
        holdall.sync(tree, store, plan=plan, delete=True)
    with pytest.raises(ValueError, match="dry_run"):
        holdall.sync(tree, store, dry_run=True, workers=3)


def test_a_plan_that_is_out_of_date_fails_and_deletes_nothing(tree):
    store = MemoryStore()
    holdall.put(store, "old", b"old")
    plan = holdall.plan_sync(tree, store, delete=True)
    (tree / "a.txt").unlink()
    with pytest.raises(TransferError) as raised:
        holdall.sync(tree, store, plan=plan)
    failed = {o.source: o.error for o in raised.value.result.failed}
    assert set(failed) == {"a.txt", "old"}
    assert isinstance(failed["a.txt"], NotFoundError)
    assert "kept" in str(failed["old"])
    assert holdall.exists(store, "old")


def test_an_empty_source_does_not_empty_the_target(store):
    holdall.put(store, "k", b"x")
    with pytest.raises(InvalidArgumentError, match="delete_prefix"):
        holdall.sync(MemoryStore(), store, delete=True)
    assert holdall.exists(store, "k")


def test_nothing_is_deleted_behind_a_link(tree, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (tree / "link").symlink_to(elsewhere)
    store = MemoryStore()
    holdall.put(store, "a.txt", b"1")
    result = holdall.sync(store, tree, delete=True, on_error="return")
    assert (elsewhere / "precious").exists()
    assert [o.target for o in result.failed] == ["link/precious"]
    assert "symbolic link" in str(result.failed[0].error)


def test_a_source_that_cannot_be_listed_says_so(tmp_path):
    store = holdall.store.HTTPStore(
        "http://127.0.0.1:9", client_options={"allow_http": True}, retry_config={"max_retries": 0}
    )
    with pytest.raises(holdall.exceptions.BaseError):
        holdall.download_prefix(store, None, tmp_path / "down")


def test_outcomes_can_be_told_of_as_they_come(store, tree, tmp_path_factory):
    seen = []
    up = holdall.upload_dir(store, "p", tree, on_outcome=seen.append)
    assert {(o.action, o.source, o.size, o.ok) for o in seen} == {
        ("copy", name, len(data), True) for name, data in FILES.items()
    }
    assert (up.objects, up.objects_failed, up.bytes, up.ok) == (4, 0, 6, True)
    assert up.outcomes == []
    down = tmp_path_factory.mktemp("down")
    (down / "a.txt").mkdir()
    (down / "a.txt" / "in the way").touch()
    seen.clear()
    with pytest.raises(TransferError, match="1 of 4 objects failed") as raised:
        holdall.download_prefix(store, "p", down, on_outcome=seen.append)
    result = raised.value.result
    assert [outcome.source for outcome in result.failed] == ["a.txt"]
    assert [outcome.source for outcome in seen if not outcome.ok] == ["a.txt"]
    assert (len(seen), result.objects, result.objects_failed, result.bytes) == (4, 4, 1, 5)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.result.objects, copy.result.bytes) == (4, 5)
    (tree / "a.txt").unlink()
    seen.clear()
    result = holdall.sync(tree, store.with_prefix("p"), delete=True, on_outcome=seen.append)
    assert [(o.action, o.target, o.size) for o in seen] == [("delete", "a.txt", 1)]
    assert (result.objects, result.skipped) == (1, 3)


def test_progress_is_shown_while_outcomes_are_told_of(tmp_path):
    for number in range(300):
        (tmp_path / f"{number}").touch()
    snapshots = []
    holdall.upload_dir(
        MemoryStore(),
        None,
        tmp_path,
        on_outcome=lambda _: time.sleep(0.002),
        progress=snapshots.append,
        progress_interval=0.001,
    )
    # Besides those at the beginning and at the end.
    assert len(snapshots) >= 5


def test_what_a_listener_raises_ends_the_transfer(store, tree):
    def refuse(outcome):
        raise KeyError(outcome.source)

    with pytest.raises(KeyError):
        holdall.upload_dir(store, "p", tree, workers=1, on_outcome=refuse)
    with pytest.raises(TypeError, match="on_outcome"):
        holdall.upload_dir(store, "p", tree, on_outcome="x")


async def test_outcomes_are_told_on_the_event_loop(tree):
    store, loops, told = MemoryStore(), set(), []
    for number in range(3000):
        store.put(f"many/{number:04}", b"x")

    def take(outcome):
        loops.add(asyncio.get_running_loop())
        told.append(outcome.source)

    snapshots = []
    result = await holdall.copy_prefix_async(
        store, "many", MemoryStore(), None, on_outcome=take, progress=snapshots.append
    )
    assert sorted(told) == [f"{number:04}" for number in range(3000)]
    assert loops == {asyncio.get_running_loop()}
    assert (result.objects, result.bytes, result.outcomes) == (3000, 3000, [])
    assert snapshots[-1].finished and snapshots[-1].objects_done == 3000
    plan = await holdall.plan_sync_async(tree, store.with_prefix("tree"))
    told.clear()
    result = await holdall.sync_async(tree, store.with_prefix("tree"), plan=plan, on_outcome=take)
    assert sorted(told) == sorted(FILES)

    def refuse(outcome):
        raise KeyError(outcome.source)

    with pytest.raises(KeyError):
        await holdall.copy_prefix_async(store, "many", MemoryStore(), None, on_outcome=refuse)
