"""Checks HTTP/2 manners against server.py: client.py HOST PORT CHECK... Prints `CHECK held`, or `CHECK: what went wrong`."""

import sys
import traceback

import endings
import neighbours
import shapes

for name in sys.argv[3:]:
    check = next(getattr(room, name) for room in (endings, shapes, neighbours) if hasattr(room, name))
    try:
        check()
        print(f"{name} held", flush=True)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[1:]
        lines = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in where)
        print(f"{name}: {type(error).__name__} {error} at {lines}", flush=True)
