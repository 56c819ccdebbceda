"""The drain of a process before its end: it becomes unready, ends long responses and accepts no new work."""

import asyncio


class Drain:
    """A one-time signal that can be awaited in any event loop of one thread."""

    def __init__(self) -> None:
        self.begun = False
        self.failure: str | None = None
        """Why the process has to end with an error, as a sentence."""
        self._waiting: set[asyncio.Future[None]] = set()

    def begin(self) -> None:
        """Start draining. Call it in the thread of the waiting loops."""
        self.begun = True
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self) -> None:
        """Return when the drain has begun."""
        if self.begun:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)


DRAIN = Drain()
"""The drain of this process, shared by all services in it: a signal ends the whole process."""
