"""An FTP server for one user.

PORT FIRST_PASSIVE LAST_PASSIVE USER PASSWORD HOME CERTIFICATE explicit|implicit
"""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import MultiprocessFTPServer

port, first, last, user, password, home, certificate, tls = sys.argv[1:]


class Implicit(TLS_FTPHandler):
    """Begins with TLS, and greets once the handshake is over."""

    def handle(self):
        self.secure_connection(self.get_ssl_context())

    def handle_ssl_established(self):
        super().handle()


authorizer = DummyAuthorizer()
authorizer.add_user(user, password, home, perm="elradfmwMT")

handler = Implicit if tls == "implicit" else TLS_FTPHandler
handler.authorizer = authorizer
handler.certfile = certificate
handler.passive_ports = range(int(first), int(last) + 1)
# Without a name for its sessions OpenSSL refuses clients that resume them on data connections.
handler.get_ssl_context().set_session_id(b"lab")

# A process for each session: the loop of version 1.5.7 takes a descriptor for its predecessor of the
# same number when sessions come and go at the same time, and then forgets it.
# "::" serves IPv4 as well: pyftpdlib clears IPV6_V6ONLY.
MultiprocessFTPServer(("::", int(port)), handler).serve_forever()
