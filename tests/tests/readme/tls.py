"""A server and a connection to it around what README.md says about TLS."""

import rtmpkit

app = rtmpkit.Application("live")
@SERVING@
try:
    @CONNECTING@
    print("connected")
    connection.close()
except rtmpkit.ConnectError as error:
    print("failed", error)
server.close()
