"""ftp_client.py HOST FAMILY: stores a file and fetches it, by passive and by active data connections."""

import ftplib
import io
import os
import socket
import sys

host, family = sys.argv[1:]
number = socket.AF_INET6 if family == "6" else socket.AF_INET
address = socket.getaddrinfo(host, None, number, socket.SOCK_STREAM)[0][4][0]

for passive in True, False:
    ftp = ftplib.FTP(timeout=5)
    # A service has the ports it declares and no others: data connections go to the address that the server tells, its pod's own.
    ftp.trust_server_pasv_ipv4_address = True
    word = "passive" if passive else "active"
    try:
        ftp.connect(address, 2121)
        ftp.login()
        ftp.set_pasv(passive)
        contents = os.urandom(3_000_000)
        ftp.storbinary("STOR file", io.BytesIO(contents))
        fetched = io.BytesIO()
        ftp.retrbinary("RETR file", fetched.write)
        print(word, "whole" if fetched.getvalue() == contents else f"damaged: {len(fetched.getvalue())} bytes")
        ftp.quit()
    except (OSError, EOFError, ftplib.Error) as error:
        print(word, repr(error))
