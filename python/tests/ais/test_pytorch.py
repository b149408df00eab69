"""Data sets of PyTorch: what a training loop sees."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import Reply, serving

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch.utils.data import DataLoader  # noqa: E402

from holdall import aistore  # noqa: E402
from holdall.aistore import Bucket, Client, DataShard  # noqa: E402
from holdall.aistore.errors import BrokenStream  # noqa: E402
from holdall.aistore.pytorch import (  # noqa: E402
    AISBaseIterDataset,
    AISBatchIterDataset,
    AISDataLoader,
    AISIterDataset,
    AISMapDataset,
    AISMultiShardStream,
    AISParallelMapDataset,
    AISShardReader,
    DynamicBatchSampler,
)

OBJECTS = 23


def content_of(number: int) -> bytes:
    return f"content {number} ".encode() * (number + 1)


@pytest.fixture
def objects(bucket: Bucket) -> Bucket:
    bucket.put_many({f"o-{n:03d}": content_of(n) for n in range(OBJECTS)})
    return bucket


def put_shard(bucket: Bucket, name: str, members: dict[str, bytes]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    bucket.object(name).get_writer().put_content(out.getvalue())


@pytest.fixture
def shards(bucket: Bucket) -> Bucket:
    """Three shards of 5, 1 and 7 samples; one kind of file is in the last alone."""
    number = 0
    for shard, count in enumerate([5, 1, 7]):
        members = {}
        for _ in range(count):
            members[f"s{number:02d}.txt"] = b"text %d" % number
            members[f"s{number:02d}.cls"] = b"%d" % number
            if number == 9:
                members[f"s{number:02d}.json"] = b"{}"
            number += 1
        put_shard(bucket, f"shard-{shard}.tar", members)
    return bucket


def plain(batches: Any) -> list[Any]:
    return list(batches)


def as_they_are(batch: Any) -> Any:
    return batch


def batches_of(dataset: Any, workers: int, size: int, context: str | None = None) -> list[Any]:
    loader = DataLoader(
        dataset,
        batch_size=size,
        num_workers=workers,
        collate_fn=as_they_are,
        multiprocessing_context=context if workers else None,
    )
    return list(loader)


def whole() -> list[tuple[str, bytes]]:
    return [(f"o-{n:03d}", content_of(n)) for n in range(OBJECTS)]


def in_batches(samples: list[Any], size: int) -> list[list[Any]]:
    return [samples[at : at + size] for at in range(0, len(samples), size)]


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_the_order_is_the_same_for_any_number_of_workers(
    objects: Bucket, workers: int, size: int
) -> None:
    assert batches_of(AISIterDataset(objects), workers, size) == in_batches(whole(), size)


@pytest.mark.parametrize("workers", [0, 2])
def test_so_it_is_with_requests_of_many(client: Client, objects: Bucket, workers: int) -> None:
    dataset = AISBatchIterDataset(objects, client, max_batch_size=4)
    assert batches_of(dataset, workers, 5) == in_batches(whole(), 5)


def test_workers_may_be_spawned(client: Client, objects: Bucket) -> None:
    assert batches_of(AISIterDataset(objects), 2, 4, "spawn") == in_batches(whole(), 4)
    assert batches_of(AISMapDataset(objects), 2, 4, "spawn") == in_batches(whole(), 4)


def test_without_batches_samples_come_one_by_one(objects: Bucket) -> None:
    loader = DataLoader(
        AISIterDataset(objects), batch_size=None, num_workers=3, collate_fn=as_they_are
    )
    assert list(loader) == whole()


def test_a_wrapped_iterator_has_the_same_order(objects: Bucket) -> None:
    assert batches_of(Wrapped(objects), 2, 4) == in_batches([name for name, _ in whole()], 4)


class Wrapped(AISIterDataset):
    def __iter__(self) -> Iterator[Any]:
        for name, _ in super().__iter__():
            yield name


class Names(AISBaseIterDataset):
    """What programs write over the base."""

    def __iter__(self) -> Iterator[str]:
        self._reset_iterator()
        objects, _ = self._get_worker_iter_info()
        return (obj.name for obj in objects)


def test_data_sets_of_programs_share_objects_in_turn_too(objects: Bucket) -> None:
    assert batches_of(Names(objects), 2, 3) == in_batches([name for name, _ in whole()], 3)


def test_prefixes_choose_objects(objects: Bucket) -> None:
    dataset = AISIterDataset(objects, prefix_map={objects: ["o-01", "o-000"]})
    assert [name for name, _ in dataset] == [*(f"o-{n:03d}" for n in range(10, 20)), "o-000"]
    assert len(dataset) == 11


def test_shuffled_epochs_are_found_again(objects: Bucket) -> None:
    first = [name for name, _ in AISIterDataset(objects, shuffle=True, seed=3)]
    assert sorted(first) == [name for name, _ in whole()] and first != sorted(first)
    dataset = AISIterDataset(objects, shuffle=True, seed=3)
    assert [b for batch in batches_of(dataset, 2, 4) for b, _ in batch] == first
    dataset.set_epoch(1)
    second = [name for name, _ in dataset]
    assert sorted(second) == sorted(first) and second != first


def test_an_epoch_goes_on_where_it_was_left(objects: Bucket) -> None:
    dataset = AISIterDataset(objects)
    samples = iter(dataset)
    taken = [next(samples) for _ in range(7)]
    fresh = AISIterDataset(objects)
    fresh.load_state_dict(dataset.state_dict())
    assert taken + list(fresh) == whole()
    assert list(fresh) == whole()


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("after", [0, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loader_goes_on_with_any_number_of_workers(
    objects: Bucket, before: int, after: int, shuffle: bool
) -> None:
    def loader(workers: int) -> AISDataLoader:
        dataset = AISIterDataset(objects, shuffle=shuffle, seed=5)
        return AISDataLoader(dataset, batch_size=3, num_workers=workers, collate_fn=as_they_are)

    wanted = loader(0)
    epochs = [list(wanted) for _ in range(3)]
    assert epochs[0] == epochs[1] or shuffle
    first = loader(before)
    assert list(first) == epochs[0]
    batches = iter(first)
    taken = [next(batches) for _ in range(4)]
    state = first.state_dict()
    second = loader(after)
    second.load_state_dict(state)
    assert taken + list(second) == epochs[1]
    assert list(second) == epochs[2]


def test_a_loader_of_numbered_samples_goes_on_too(objects: Bucket) -> None:
    def loader(workers: int = 0) -> AISDataLoader:
        return AISDataLoader(
            AISMapDataset(objects),
            batch_size=4,
            shuffle=True,
            seed=9,
            num_workers=workers,
            collate_fn=as_they_are,
        )

    wanted = loader()
    first, second = list(wanted), list(wanted)
    assert first != second
    batches = iter(wanted := loader())
    taken = [next(batches) for _ in range(2)]
    other = loader(2)
    other.load_state_dict(wanted.state_dict())
    assert taken + list(other) == first
    assert list(other) == second


def test_a_loader_that_is_left_begins_anew(objects: Bucket) -> None:
    loader = AISDataLoader(AISIterDataset(objects), batch_size=4, collate_fn=as_they_are)
    next(iter(loader))
    assert list(loader) == in_batches(whole(), 4)


def test_a_state_of_other_batches_is_refused(objects: Bucket) -> None:
    state = AISDataLoader(AISIterDataset(objects), batch_size=4).state_dict()
    with pytest.raises(ValueError, match="batches of 4"):
        AISDataLoader(AISIterDataset(objects), batch_size=5).load_state_dict(state)


@pytest.mark.parametrize(
    ("state", "error", "text"),
    [
        (None, TypeError, "not NoneType"),
        ([1, 2], TypeError, "not list"),
        (b"{}", TypeError, "not bytes"),
        ({}, ValueError, "no 'epoch'"),
        ({"epoch": "1"}, ValueError, "'epoch' is '1'"),
        ({"epoch": -1}, ValueError, "'epoch' is -1, not a count"),
        ({"epoch": 1.5}, ValueError, "'epoch' is 1.5"),
        ({"epoch": True}, ValueError, "'epoch' is True"),
        ({"epoch": torch.tensor([1, 2])}, ValueError, "'epoch' is tensor"),
    ],
)
def test_a_state_that_is_none_is_refused(
    objects: Bucket, state: Any, error: type[Exception], text: str
) -> None:
    for owner in (AISDataLoader(AISIterDataset(objects), batch_size=4), AISIterDataset(objects)):
        before = owner.state_dict()
        with pytest.raises(
            error, match=rf"{type(owner).__name__}\.load_state_dict: .*{text}.*give"
        ):
            owner.load_state_dict(state)
        if state and isinstance(state, dict):
            # The part that is wrong may come last, and nothing is taken over by then.
            with pytest.raises(error, match="load_state_dict"):
                owner.load_state_dict({**before, "epoch": 3, **dict.fromkeys(list(before)[1:], "")})
        assert owner.state_dict() == before


def test_numbers_of_a_state_may_be_tensors(objects: Bucket) -> None:
    batches = iter(first := AISDataLoader(AISIterDataset(objects), batch_size=4))
    taken = [next(batches) for _ in range(2)]
    second = AISDataLoader(AISIterDataset(objects), batch_size=4)
    second.load_state_dict({key: torch.tensor(v) for key, v in first.state_dict().items()})
    names = [name for batch in [*taken, *second] for name in batch[0]]
    assert names == [f"o-{n:03d}" for n in range(OBJECTS)]
    assert all(type(number) is int for number in second.state_dict().values())


def test_workers_that_stay_go_through_all_epochs(objects: Bucket) -> None:
    dataset = AISIterDataset(objects, shuffle=True)
    loader = AISDataLoader(
        dataset, batch_size=4, num_workers=2, persistent_workers=True, collate_fn=as_they_are
    )
    first, second = list(loader), list(loader)
    assert first != second
    assert sorted(s for b in first for s in b) == sorted(s for b in second for s in b) == whole()


def names(batches: Any) -> list[list[str]]:
    return [[name for name, _ in batch] for batch in batches]


def numbered(objects: Bucket, **options: Any) -> AISDataLoader:
    options = {"batch_size": 4, "shuffle": True, **options}
    return AISDataLoader(AISMapDataset(objects), seed=9, collate_fn=as_they_are, **options)


def test_workers_that_stay_give_numbered_samples_in_the_same_order(objects: Bucket) -> None:
    wanted = numbered(objects)
    epochs = [names(wanted) for _ in range(3)]
    staying = numbered(objects, num_workers=2, persistent_workers=True)
    assert [names(staying) for _ in range(3)] == epochs


def test_workers_that_stay_go_on_where_they_are_told_to(objects: Bucket) -> None:
    wanted = numbered(objects)
    epochs = [names(wanted) for _ in range(3)]
    loader = numbered(objects, num_workers=2, persistent_workers=True)
    state = loader.state_dict()
    loader.load_state_dict({**state, "batches": 2})
    assert names(loader) == epochs[0][2:]
    assert names(loader) == epochs[1]
    loader.load_state_dict({**state, "epoch": 1, "batches": 3})
    assert names(loader) == epochs[1][3:]
    assert names(loader) == epochs[2]


def test_batches_by_size_are_found_again(objects: Bucket) -> None:
    def loader() -> AISDataLoader:
        dataset = AISMapDataset(objects)
        sampler = DynamicBatchSampler(dataset, 1000, shuffle=True)
        return AISDataLoader(dataset, batch_sampler=sampler, collate_fn=as_they_are, seed=3)

    wanted = names(loader())
    first = loader()
    batches = iter(first)
    taken = names([next(batches), next(batches)])
    second = loader()
    second.load_state_dict(first.state_dict())
    assert taken + names(second) == wanted


def test_numbered_samples(objects: Bucket) -> None:
    dataset = AISMapDataset(objects)
    assert (len(dataset), dataset[7]) == (OBJECTS, whole()[7])
    assert dataset.__getitems__([3, 1]) == [whole()[3], whole()[1]]
    with pytest.raises(IndexError, match="in bounds"):
        dataset[OBJECTS]
    with pytest.raises(ValueError, match="must be provided"):
        AISMapDataset([])


def test_large_objects_are_read_in_parts(objects: Bucket) -> None:
    name, content = AISParallelMapDataset(objects, num_workers=2)[20]
    with content:
        assert (name, content.tobytes()) == whole()[20]


def test_a_missing_object_is_an_error_and_no_sample(objects: Bucket) -> None:
    dataset = AISMapDataset(objects)
    objects.object("o-005").delete()
    with pytest.raises(Exception, match="o-005"):
        dataset.__getitems__([4, 5])


def with_gaps(objects: Bucket) -> list[str]:
    """Names of which some are of no object: a whole batch of four, and others."""
    wanted = [f"o-{n:03d}" for n in range(OBJECTS)]
    for gone in (2, 8, 9, 10, 11, 17):
        wanted[gone] = f"gone-{gone}"
    return wanted


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (2, 3), (3, 0)])
def test_what_is_left_out_moves_nothing_else(
    client: Client, objects: Bucket, before: int, after: int, shuffle: bool
) -> None:
    group = objects.objects(obj_names=with_gaps(objects))

    def loader(workers: int) -> AISDataLoader:
        dataset = AISBatchIterDataset(
            group, client, max_batch_size=5, cont_on_err=True, shuffle=shuffle
        )
        return AISDataLoader(dataset, batch_size=4, num_workers=workers, collate_fn=as_they_are)

    whole = names(loader(0))
    there = [name for name in with_gaps(objects) if name.startswith("o-")]
    assert sorted(name for batch in whole for name in batch) == there
    assert shuffle or whole == [
        [name for name in batch if name in there]
        for batch in in_batches(with_gaps(objects), 4)
        if set(batch) & set(there)
    ]
    assert names(loader(after)) == whole
    first = loader(before)
    batches = iter(first)
    taken = names([next(batches) for _ in range(3)])
    second = loader(after)
    second.load_state_dict(first.state_dict())
    assert taken + names(second) == whole


def test_a_data_set_that_left_out_samples_goes_on(client: Client, objects: Bucket) -> None:
    group = objects.objects(obj_names=with_gaps(objects))

    def dataset() -> AISBatchIterDataset:
        return AISBatchIterDataset(group, client, cont_on_err=True)

    there = [name for name in with_gaps(objects) if name.startswith("o-")]
    first = dataset()
    # A loader has used it before.
    next(iter(AISDataLoader(first, batch_size=4, collate_fn=as_they_are)))
    samples = iter(first)
    taken = [next(samples)[0] for _ in range(9)]
    second = dataset()
    second.load_state_dict(first.state_dict())
    assert taken + [name for name, _ in second] == there
    assert [name for name, _ in second] == there
    assert len(second) == OBJECTS


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_that_break_off_are_asked_for_again(workers: int) -> None:
    cuts = {"kind": "cut", "method": "GET", "path": "/v1/ml/moss*", "bytes": 700}
    contents = {f"o-{n}": b"%d" % n * 100 for n in range(9)}
    with aistore.serve(faults={"seed": 1, "fault": [{**cuts, "limit": 2}]}) as server:
        client = Client(server.url)
        bucket = client.bucket("b").create()
        bucket.put_many(contents)
        dataset = AISBatchIterDataset(bucket, client)
        assert dict(s for b in batches_of(dataset, workers, 9) for s in b) == contents
        assert server.faults()[0].injected == 2
    with aistore.serve(faults={"seed": 1, "fault": [cuts]}) as server:
        client = Client(server.url)
        client.bucket("b").create().put_many(contents)
        with pytest.raises(BrokenStream):
            list(AISBatchIterDataset(client.bucket("b"), client))


def test_batches_that_stand_still_are_asked_for_again() -> None:
    asked = []

    def answer(request: Any) -> Reply:
        if "/ml/moss" not in request.path:
            return Reply(404)
        asked.append(request)
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            info = tarfile.TarInfo("b/o")
            info.size = 7
            tar.addfile(info, io.BytesIO(b"content"))
        # The first reply promises more than it has.
        return Reply(200, out.getvalue(), {"Content-Length": "99999"} if len(asked) == 1 else {})

    with serving(answer) as service:
        client = Client(service.url, timeout=(1, 0.3))
        group = client.bucket("b").objects(obj_names=["o"])
        assert list(AISBatchIterDataset(group, client)) == [("o", b"content")]
        assert len(asked) == 2


def test_batches_of_a_group_ask_for_no_sizes(client: Client, objects: Bucket) -> None:
    group = objects.objects(obj_names=[f"o-{n:03d}" for n in range(5)] + ["gone"])
    with pytest.raises(Exception, match="gone"):
        list(AISBatchIterDataset(group, client))
    found = list(AISBatchIterDataset(group, client, cont_on_err=True))
    assert [name for name, _ in found] == [f"o-{n:03d}" for n in range(5)]


def sample(number: int, keys: tuple[str, ...]) -> tuple[str, dict[str, bytes]]:
    files = {"txt": b"text %d" % number, "cls": b"%d" % number}
    files |= {key: b"" for key in keys}
    return f"s{number:02d}", files | ({"json": b"{}"} if number == 9 else {})


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_samples_of_shards(shards: Bucket, workers: int) -> None:
    # What a sample lacks is there and empty, once its kind was seen.
    wanted = [sample(n, ()) for n in range(6)] + [sample(n, ("json",)) for n in range(6, 13)]
    wanted[9][1]["json"] = b"{}"
    assert batches_of(AISShardReader(shards), workers, 4) == in_batches(wanted, 4)


def test_samples_of_shards_go_on(shards: Bucket) -> None:
    def loader(workers: int) -> AISDataLoader:
        return AISDataLoader(
            AISShardReader(shards), batch_size=2, num_workers=workers, collate_fn=as_they_are
        )

    wanted = list(loader(0))
    first = loader(2)
    batches = iter(first)
    taken = [next(batches) for _ in range(3)]
    second = loader(3)
    second.load_state_dict(first.state_dict())
    assert taken + list(second) == wanted


def test_an_object_that_is_no_shard_is_an_error(shards: Bucket) -> None:
    shards.object("shard-x.tar").get_writer().put_content(b"no archive at all" * 100)
    with pytest.raises(Exception, match="shard-x"):
        list(AISShardReader(shards))


@pytest.mark.parametrize("workers", [0, 2])
def test_shards_side_by_side(endpoint: str, bucket: Bucket, workers: int) -> None:
    # The second one has its members in another order.
    put_shard(bucket, "left.tar", {f"{n}.jpg": b"image %d" % n for n in range(5)})
    put_shard(bucket, "right.tar", {f"{n}.cls": b"%d" % n for n in (3, 0, 4, 1, 2)})
    series = [DataShard(endpoint, bucket.name, prefix=name) for name in ("left", "right")]
    stream = AISMultiShardStream(series)
    wanted = [(b"image %d" % n, b"%d" % n) for n in range(5)]
    assert batches_of(stream, workers, 2) == in_batches(wanted, 2)


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("after", [0, 3])
def test_shards_side_by_side_go_on(endpoint: str, bucket: Bucket, before: int, after: int) -> None:
    for name in ("left", "right"):
        put_shard(bucket, f"{name}.tar", {f"{n:02d}.x": b"%d" % n for n in range(11)})

    def loader(workers: int) -> AISDataLoader:
        series = [DataShard(endpoint, bucket.name, prefix=name) for name in ("left", "right")]
        return AISDataLoader(
            AISMultiShardStream(series), batch_size=2, num_workers=workers, collate_fn=as_they_are
        )

    wanted = list(loader(0))
    first = loader(before)
    batches = iter(first)
    taken = [next(batches) for _ in range(3)]
    second = loader(after)
    second.load_state_dict(first.state_dict())
    assert taken + list(second) == wanted == list(second)


def test_batches_by_size(bucket: Bucket) -> None:
    sizes = [40, 0, 30, 30, 100, 70, 250, 20]
    bucket.put_many({f"{n}": b"x" * size for n, size in enumerate(sizes)})
    dataset = AISMapDataset(bucket)
    assert list(DynamicBatchSampler(dataset, 100)) == [[0, 2, 3], [4], [5, 7]]
    assert list(DynamicBatchSampler(dataset, 100, allow_oversized_samples=True)) == [
        [0, 2, 3],
        [4],
        [6],
        [5, 7],
    ]
    assert list(DynamicBatchSampler(dataset, 100, drop_last=True, saturation_factor=0.95)) == [
        [0, 2, 3],
        [4],
    ]
    shuffled = [n for batch in DynamicBatchSampler(dataset, 100, shuffle=True) for n in batch]
    assert sorted(shuffled) == [0, 2, 3, 4, 5, 7]


def test_data_pipes_of_the_first_generation(endpoint: str, objects: Bucket) -> None:
    pytest.importorskip(
        "torch.utils.data.datapipes.utils.common", reason="this PyTorch has no data pipes"
    )
    from torch.utils.data.datapipes.iter import IterableWrapper

    from holdall.aistore.pytorch import AISFileLister, AISFileLoader, AISSourceLister

    prefixes = IterableWrapper([f"ais://{objects.name}/o-00", f"ais://{objects.name}/o-02"])
    with pytest.warns(DeprecationWarning, match="list_urls"):
        urls = AISFileLister(prefixes, endpoint)
    wanted = [f"ais://{objects.name}/o-{n:03d}" for n in [*range(10), *range(20, OBJECTS)]]
    assert list(urls) == wanted
    with pytest.raises(TypeError, match="length"):
        len(urls)
    with pytest.warns(DeprecationWarning, match="AISIterDataset"):
        files = urls.ais_load_files(url=endpoint)
    loaded = {url: file.read() for url, file in files}
    assert list(loaded) == wanted and loaded[wanted[3]] == content_of(3)
    assert len(AISFileLoader(wanted, endpoint)) == len(wanted)
    sources = AISSourceLister([objects, objects.objects(obj_names=["o-001"])], prefix="o-001")
    assert list(sources) == [objects.object("o-001").get_url()] * 2


def test_what_nothing_would_come_of_is_refused(client: Client, objects: Bucket) -> None:
    twin = client.bucket(objects.name)
    refused: list[tuple[type[Exception], str, Any]] = [
        (TypeError, r"client\.bucket", lambda: AISIterDataset("name")),  # type: ignore[arg-type]
        (TypeError, "mapping", lambda: AISIterDataset(objects, prefix_map="o-")),  # type: ignore[arg-type]
        (ValueError, "same object", lambda: AISMapDataset(objects, prefix_map={twin: "o-01"})),
        (
            ValueError,
            "max_batch_size",
            lambda: AISBatchIterDataset(objects, client, max_batch_size=0),
        ),
        (ValueError, "batch_size", lambda: AISIterDataset(objects, batch_size=-1)),
        (ValueError, "max_batch_size", lambda: DynamicBatchSampler(AISMapDataset(objects), 0)),
    ]
    for kind, words, make in refused:
        with pytest.raises(kind, match=words):
            make()


def test_a_series_of_what_are_no_shards_is_an_error(endpoint: str, objects: Bucket) -> None:
    stream = AISMultiShardStream([DataShard(endpoint, objects.name, prefix="o-00")])
    with pytest.raises(tarfile.TarError, match="o-000"):
        list(stream)
