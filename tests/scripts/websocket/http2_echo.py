"""A WebSocket server over HTTP/2 with prior knowledge (RFC 8441), on port 9000."""

import asyncio

from hypercorn.asyncio import serve
from hypercorn.config import Config


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"HTTP/{scope['http_version']}\n".encode()})
        return
    await receive()
    # The version shows that nobody translated on the way.
    version = scope["http_version"].encode()
    await send({"type": "websocket.accept", "subprotocol": "echo", "headers": [(b"x-version", version)]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


config = Config()
config.bind = ["[::]:9000"]
asyncio.run(serve(app, config))
