"""A Flash Remoting gateway by Py3AMF on 127.0.0.1: prints its port, serves until its input ends.

The service `test` has methods that give back what they get, fail, and tell the headers of the request.
"""

import sys
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pyamf
from pyamf.remoting.gateway.wsgi import WSGIGateway


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def echo(request, value):
    return value


def add(request, *numbers):
    return sum(numbers)


def fail(request):
    raise LookupError("there is no such thing")


def headers(request):
    return {str(name): value for name, value in request.headers.items()}


def version(request):
    return request.amfVersion


def main() -> None:
    services = {f"test.{function.__name__}": function for function in (echo, add, fail, headers, version)}
    gateway = WSGIGateway(services, expose_request=False)
    # The functions want to see the whole packet, which the gateway keeps to itself.
    answer = gateway.getResponse

    def get_response(packet, environ):
        for name, function in services.items():
            gateway.services[name].service = lambda *args, function=function: function(packet, *args)
        return answer(packet, environ)

    gateway.getResponse = get_response
    with make_server("127.0.0.1", 0, gateway, handler_class=Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    assert pyamf
    main()
