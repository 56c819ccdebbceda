"""The word that this process is about to end: readiness turns off, long replies finish, nothing new is begun."""

import asyncio


class Drain:
    """Begun once, heard by everybody who waits, in whichever event loop."""

    def __init__(self) -> None:
        self.begun = False
        self._waiting: set[asyncio.Future[None]] = set()

    def begin(self) -> None:
        """Start draining. Called in the thread of the waiting loops."""
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
"""The drain of this process. A signal ends the process as a whole, so all its services share it."""
