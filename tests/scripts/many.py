"""many.py HOST ONE_AFTER_ANOTHER AT_ONCE: short connections to the greeter, and then as many that are open together."""

import asyncio
import socket
import sys

host, one_after_another, at_once = socket.gethostbyname(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
GREETING = b"220 welcome\r\n"


async def open_one():
    reader, writer = await asyncio.open_connection(host, 2525)
    assert await reader.readline() == GREETING
    return reader, writer


async def say(number, reader, writer):
    writer.write(b"%d\r\n" % number)
    return await reader.readline() == b"250 %d\r\n" % number


async def main():
    for number in range(one_after_another):
        reader, writer = await open_one()
        assert await say(number, reader, writer)
        writer.close()
    opened = await asyncio.gather(*(open_one() for _ in range(at_once)))
    for _ in range(3):
        said = await asyncio.gather(*(say(number, *pipe) for number, pipe in enumerate(opened)))
        assert all(said)
    print(one_after_another, "and", len(opened))


asyncio.run(asyncio.wait_for(main(), 60))
