"""mail_client.py HOST FAMILY CA: sends a letter in the open and one after STARTTLS, and says whether both arrived whole."""

import hashlib
import smtplib
import socket
import ssl
import sys

host, family, ca = sys.argv[1:]
LETTER = "Subject: bytes\r\n\r\n" + "All of it must arrive, this line too.\r\n" * 20000


class Smtp(smtplib.SMTP):
    """To an address of one family, with the host's name for TLS."""

    def _get_socket(self, host, port, timeout):
        family_number = socket.AF_INET6 if family == "6" else socket.AF_INET
        return socket.create_connection(socket.getaddrinfo(host, port, family_number, socket.SOCK_STREAM)[0][4][:2], timeout)


for sealed in False, True:
    with Smtp(host, 2525, timeout=10) as smtp:
        if sealed:
            smtp.starttls(context=ssl.create_default_context(cafile=ca))
        smtp.ehlo("client.example")
        smtp.mail("a@client.example")
        smtp.rcpt("b@server.example")
        code, answer = smtp.data(LETTER)
        digest, seal = answer.decode().split()
        print(code, digest == hashlib.sha256(LETTER.encode()).hexdigest(), seal)
