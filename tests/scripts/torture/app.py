"""What is abused, beside nginx: an echo on 9000, and on 8083 an HTTP server that reads whatever it is sent and answers at its end."""

import asyncio


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def sink(reader, writer):
    try:
        while data := await reader.read(65536):
            # nginx ends a body of unknown length like this.
            if data.endswith(b"0\r\n\r\n"):
                break
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    echoing = await asyncio.start_server(echo, "0.0.0.0", 9000)
    await asyncio.start_server(sink, "127.0.0.1", 8083)
    await echoing.serve_forever()


asyncio.run(main())
