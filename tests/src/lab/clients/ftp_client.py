"""One transfer.

HOST PORT USER PASSWORD clear|auth|implicit PASV|EPSV|PORT|EPRT download|upload TIMEOUT REMOTE LOCAL
"""

import ftplib
import socket
import sys

host, port, user, password, tls, verb, direction, timeout, remote, local = sys.argv[1:]


class Implicit(ftplib.FTP_TLS):
    """Begins with TLS."""

    def connect(self, host, port):
        self.host = host
        plain = socket.create_connection((host, port), self.timeout)
        self.sock = self.context.wrap_socket(plain)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()


kind = {"clear": ftplib.FTP, "auth": ftplib.FTP_TLS, "implicit": Implicit}[tls]

with kind(timeout=int(timeout)) as ftp:
    ftp.set_debuglevel(1)
    ftp.connect(host, int(port))
    ftp.login(user, password)
    if tls != "clear":
        ftp.prot_p()
    ftp.set_pasv(verb in ("PASV", "EPSV"))
    if verb == "EPSV":
        # Left alone, ftplib speaks PASV over IPv4.
        ftp.af = socket.AF_INET6
    elif verb == "EPRT":
        # And PORT.
        ftp.sendport = ftp.sendeprt
    if direction == "download":
        with open(local, "wb") as file:
            ftp.retrbinary("RETR " + remote, file.write)
    else:
        with open(local, "rb") as file:
            ftp.storbinary("STOR " + remote, file)
    ftp.quit()
