"""``python -m benches.proxy.events PORT``: twenty server-sent events to every request, each a write of its own."""

from __future__ import annotations

import asyncio
import sys

import uvloop

EVENTS = 20
_EVENT = b"data: " + b"token " * 8 + b"\n\n"
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"x-accel-buffering: no\r\n\r\n"  # nginx: pass each as it comes
)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        writer.write(_HEAD)
        for _ in range(EVENTS):
            writer.write(b"%x\r\n%s\r\n" % (len(_EVENT), _EVENT))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")


async def main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
