"""One definition of an operation, for callers that wait and for callers that await.

An operation is written as a generator, which yields what takes time (a request, a pause) and gets what came of it:

>>> class Greeter:
...     @twin
...     def greet(self, name):
...         yield nap(0)
...         return f"hello {name}"
>>> Greeter().greet("you")
'hello you'
>>> import asyncio
>>> asyncio.run(Greeter().greet_async("you"))
'hello you'
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S")


class Step(Protocol):
    """Something that takes time."""

    def now(self) -> Any:
        """Do it on this thread."""

    async def later(self) -> Any:
        """Do it without holding up the event loop."""


Steps = Generator[Any, Any, T]
"""What an operation is made of."""


class _Nap:
    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> None:
        time.sleep(self.seconds)

    async def later(self) -> None:
        await asyncio.sleep(self.seconds)


class _Blocking:
    __slots__ = ("call",)

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call

    def now(self) -> Any:
        return self.call()

    async def later(self) -> Any:
        return await asyncio.to_thread(self.call)


class _Both:
    __slots__ = ("soon", "sync")

    def __init__(self, sync: Callable[[], Any], soon: Callable[[], Any]) -> None:
        self.sync = sync
        self.soon = soon

    def now(self) -> Any:
        return self.sync()

    async def later(self) -> Any:
        return await self.soon()


def nap(seconds: float) -> Step:
    """Pause."""
    return _Nap(seconds)


def blocking(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Step:
    """Call something that waits for a disk, or has no other way to be awaited than a thread."""
    return _Blocking(functools.partial(call, *args, **kwargs))


def both(sync: Callable[[], Any], soon: Callable[[], Any]) -> Step:
    """Call `sync`, or await what `soon` returns."""
    return _Both(sync, soon)


def run(steps: Steps[T]) -> T:
    """Do all steps on this thread."""
    try:
        step = next(steps)
        while True:
            try:
                came = step.now()
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    except StopIteration as done:
        return done.value
    finally:
        steps.close()


async def run_async(steps: Steps[T]) -> T:
    """Do all steps, awaiting each."""
    try:
        step = next(steps)
        while True:
            try:
                came = await step.later()
            except Exception as error:
                step = steps.throw(error)
            else:
                step = steps.send(came)
    except StopIteration as done:
        return done.value
    finally:
        steps.close()


def inner(method: Callable[..., T], *args: Any, **kwargs: Any) -> Steps[T]:
    """Do another operation within one: ``found = yield from inner(self.head)``.

    A plain method (that of a program's own class, say) is called on a thread.
    """
    steps = getattr(method, "steps", None)
    if steps is not None:
        return (yield from steps(method.__self__, *args, **kwargs))  # type: ignore[attr-defined]
    return (yield blocking(method, *args, **kwargs))


T_co = TypeVar("T_co", covariant=True)


class _Awaited(Protocol[P, T_co]):
    """A method that is to be awaited. Checkers take a plain callable in a class for one that wants its ``self``."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T_co]: ...


class _Later(Generic[S, P, T]):
    """The asynchronous twin in the body of a class."""

    def __init__(self, steps: Callable[Concatenate[S, P], Steps[T]]) -> None:
        self.steps = steps

    def __set_name__(self, owner: type, name: str) -> None:
        steps = self.steps

        @functools.wraps(steps)
        async def method_async(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
            return await run_async(steps(self, *args, **kwargs))

        method_async.__name__ = name
        method_async.__qualname__ = f"{owner.__qualname__}.{name}"
        method_async.__doc__ = f"As `{steps.__name__}`, to be awaited."
        setattr(owner, name, method_async)

    @overload
    def __get__(
        self, instance: None, owner: type
    ) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        raise AttributeError("a twin stands in the body of a class")


class twin(Generic[S, P, T]):
    """Makes a method of a generator, and beside it its asynchronous twin, ``<name>_async``.

    ``<name>_async = <name>.later()`` after it says so to whoever checks types, too.
    """

    def __init__(self, steps: Callable[Concatenate[S, P], Steps[T]]) -> None:
        self.steps = steps

    def later(self) -> _Later[S, P, T]:
        """The asynchronous twin."""
        return _Later(self.steps)

    def __set_name__(self, owner: type, name: str) -> None:
        steps = self.steps

        @functools.wraps(steps)
        def method(self: S, *args: P.args, **kwargs: P.kwargs) -> T:
            return run(steps(self, *args, **kwargs))

        method.steps = steps  # type: ignore[attr-defined]
        setattr(owner, name, method)
        if f"{name}_async" not in vars(owner):
            self.later().__set_name__(owner, f"{name}_async")

    @overload
    def __get__(self, instance: None, owner: type) -> Callable[Concatenate[S, P], T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, T]: ...

    def __get__(self, instance: object | None, owner: type) -> Any:
        raise AttributeError("a twin stands in the body of a class")
