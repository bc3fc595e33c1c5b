"""An app whose mood a file says: ok, failing, hanging, refusing, or slow with so many milliseconds.

    app.py NAME PORT MOOD_FILE

Every answer is the app's name. The file is looked at every 20 ms; without one the mood is ok.
"""

import asyncio
import pathlib
import sys

NAME, PORT, FILE = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
LOOK = 0.02


def answer(status):
    body = f"{NAME}\n"
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()


class App:
    def __init__(self):
        self.mood = ["ok"]
        self.writers = set()
        self.server = None

    async def attend(self, reader, writer):
        self.writers.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                match self.mood:
                    case ["failing"]:
                        writer.write(answer("503 Service Unavailable"))
                    case ["hanging"]:
                        await asyncio.Event().wait()
                    case ["slow", milliseconds]:
                        await asyncio.sleep(int(milliseconds) / 1000)
                        writer.write(answer("200 OK"))
                    case _:
                        writer.write(answer("200 OK"))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def listen(self):
        self.server = await asyncio.start_server(self.attend, "", PORT, reuse_address=True)

    async def refuse(self):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def follow(self):
        while True:
            mood = FILE.read_text().split() if FILE.exists() else ["ok"]
            if mood and mood != self.mood:
                before, self.mood = self.mood, mood
                if mood == ["refusing"]:
                    await self.refuse()
                elif before == ["refusing"]:
                    await self.listen()
                if before == ["hanging"]:
                    # Whoever was kept waiting is let go.
                    for writer in self.writers:
                        writer.transport.abort()
            await asyncio.sleep(LOOK)


async def main():
    app = App()
    await app.listen()
    await app.follow()


asyncio.run(main())
