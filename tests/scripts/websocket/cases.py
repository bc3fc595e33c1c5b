"""A WebSocket client over HTTP/1.1 that goes through the shapes a message can have. Argument: the URL."""

import asyncio
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

# Around each size at which the length of a frame is written differently, and far beyond a buffer.
SIZES = [0, 1, 2, 125, 126, 127, 128, 1000, 4096, 65535, 65536, 65537, 1 << 20, 8 << 20]


async def echoed(connection, message):
    await connection.send(message)
    answer = await asyncio.wait_for(connection.recv(), 20)
    assert answer == (message if not isinstance(message, list) else type(message[0])().join(message)), len(answer)


async def main(url):
    done = 0
    for compression in [None, "deflate"]:
        async with connect(url, max_size=None, compression=compression, subprotocols=["echo"]) as connection:
            assert connection.subprotocol == "echo"
            for size in SIZES:
                await echoed(connection, os.urandom(size))
                await echoed(connection, "\u00e9" * (size // 2))
                done += 2
            for pieces in [["a", "", "b"], ["\u20ac"] * 100, [b"x"] * 50, [os.urandom(1000)] * 70]:
                await echoed(connection, pieces)
                done += 1
            for payload in [b"", b"x", os.urandom(125)]:
                await asyncio.wait_for(await connection.ping(payload), 10)
                done += 1
    async with connect(url, subprotocols=["echo"]) as connection:
        await connection.send("leave")
        try:
            await asyncio.wait_for(connection.recv(), 10)
        except ConnectionClosed as closed:
            assert (closed.rcvd.code, closed.rcvd.reason) == (3001, "as you wish"), closed
            done += 1
    for code in [1000, 1001, 1003, 3000, 4999]:
        connection = await connect(url, subprotocols=["echo"])
        await connection.close(code, "bye")
        assert connection.close_code == code, connection.close_code
        done += 1
    many = [await connect(url, subprotocols=["echo"]) for _ in range(50)]
    await asyncio.gather(*(echoed(connection, f"I am {n}") for n, connection in enumerate(many)))
    await asyncio.gather(*(connection.close() for connection in many))
    print(f"{done + len(many)} cases")


asyncio.run(main(sys.argv[1]))
