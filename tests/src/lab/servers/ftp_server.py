"""An FTP server for one user: PORT FIRST_PASSIVE LAST_PASSIVE USER PASSWORD HOME CERTIFICATE."""

import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

port, first, last, user, password, home, certificate = sys.argv[1:]

authorizer = DummyAuthorizer()
authorizer.add_user(user, password, home, perm="elradfmwMT")

handler = TLS_FTPHandler
handler.authorizer = authorizer
handler.certfile = certificate
handler.passive_ports = range(int(first), int(last) + 1)

# "::" serves IPv4 as well: pyftpdlib clears IPV6_V6ONLY.
FTPServer(("::", int(port)), handler).serve_forever()
