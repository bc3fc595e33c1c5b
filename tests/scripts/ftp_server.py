"""FTP on port 2121 of both families: a folder below the current one, for anybody. Data connections may come from anywhere."""

import tempfile

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

with tempfile.TemporaryDirectory(dir=".") as folder:
    FTPHandler.authorizer = DummyAuthorizer()
    FTPHandler.authorizer.add_anonymous(folder, perm="elradfmw")
    # Behind a sidecar the server sees its own address as the client's; without this it dials nobody else.
    FTPHandler.permit_foreign_addresses = True
    FTPServer(("::", 2121), FTPHandler).serve_forever()
