"""A WebSocket server over HTTP/1.1 that sends back what it gets, on port 9000."""

import asyncio

from websockets.asyncio.server import serve


async def echo(connection):
    async for message in connection:
        if message == "leave":
            await connection.close(3001, "as you wish")
            return
        await connection.send(message)


async def main():
    async with serve(echo, None, 9000, max_size=None, subprotocols=["echo", "other"]) as server:
        await server.serve_forever()


asyncio.run(main())
