"""SMTP on port 2525 of both families, with STARTTLS by the certificate and key in the file given. Answers what it received: its SHA-256."""

import asyncio
import hashlib
import ssl
import sys

from aiosmtpd.smtp import SMTP


class Handler:
    async def handle_DATA(self, server, session, envelope):
        return f"250 {hashlib.sha256(envelope.content).hexdigest()} {'sealed' if session.ssl else 'open'}"


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[1])
    loop = asyncio.get_running_loop()
    for host in "0.0.0.0", "::":
        await loop.create_server(lambda: SMTP(Handler(), hostname="mail", tls_context=tls, enable_SMTPUTF8=True), host, 2525)
    await asyncio.Event().wait()


asyncio.run(main())
