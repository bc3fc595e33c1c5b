"""Requests at a fixed rate, whether or not those before them were answered.

    load.py HOST PATH RATE SECONDS

Prints one line of JSON: how many were sent, how many failed (no answer below 500 within 5 s), latencies in milliseconds, who answered how
often, and of the later half the same.
"""

import asyncio
import collections
import json
import sys
import time

HOST, PATH, RATE, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
PATIENCE = 5
REQUEST = f"GET {PATH} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()


async def exchange(idle):
    reader, writer = idle.pop() if idle else await asyncio.open_connection(HOST, 80)
    try:
        writer.write(REQUEST)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        body = await reader.readexactly(length)
    except BaseException:
        writer.close()
        raise
    idle.append((reader, writer))
    return int(head.split()[1]), body.decode().strip()


async def one(idle):
    begun = time.monotonic()
    try:
        status, name = await asyncio.wait_for(exchange(idle), PATIENCE)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError, IndexError, ValueError):
        status, name = 0, ""
    return status, name, (time.monotonic() - begun) * 1000


def summary(results):
    latencies = sorted(latency for _, _, latency in results)
    at = lambda share: round(latencies[min(len(latencies) - 1, int(len(latencies) * share))], 2)
    failed = collections.Counter(status for status, _, _ in results if not 200 <= status < 500)
    by = collections.Counter(name for status, name, _ in results if 200 <= status < 300)
    return {"sent": len(results), "failed": sum(failed.values()), "how": failed, "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "by": by}


async def main():
    idle, tasks = [], []
    begun = time.monotonic()
    for number in range(int(RATE * SECONDS)):
        await asyncio.sleep(max(0, begun + number / RATE - time.monotonic()))
        tasks.append(asyncio.create_task(one(idle)))
    results = await asyncio.gather(*tasks)
    print(json.dumps({**summary(results), "late": summary(results[len(results) // 2:])}))


asyncio.run(main())
