"""A server between the library and duetd that passes everything on, until a test tells it what to do
instead."""

import http.client
import http.server
import threading


class Between:
    """`between.url` is what the library is given. What a test may set:

    `instead(handler)`: called for each request before it is passed on; True when it has answered.
    `drop(event)`: called with the lines of each server-sent event; True to leave it out.
    `tls`, when it is made: an ssl.SSLContext with a certificate.
    `seen`: the method and path of all requests."""

    def __init__(self, server, tls=None):
        self.server = server
        self._scheme = "https" if tls else "http"
        self.instead = None
        self.drop = None
        self.seen = []
        self._streams = set()
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self):
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}"

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(between):  # pylint: disable=no-self-argument
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):  # pylint: disable=arguments-differ
                pass

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.body = self.rfile.read(length)
                between.seen.append((self.command, self.path))
                self.close_connection = True
                if not (between.instead and between.instead(self)):
                    between.pass_on(self)

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer

            def reply(self, status, body, content_type="application/json"):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def pass_on(self, handler):
        """Headers that mean only one connection stay behind; what is left is as duetd has it."""
        upstream = http.client.HTTPConnection(self.server.host, self.server.port, timeout=70)
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in ("host", "accept-encoding")
        }
        try:
            upstream.request(handler.command, handler.path, handler.body or None, headers)
            response = upstream.getresponse()
            if response.getheader("Content-Type", "").startswith("text/event-stream"):
                self._pass_stream_on(handler, response)
            else:
                self._pass_answer_on(handler, response)
        except OSError:
            pass  # either side is gone, and the other sees it when the connection closes
        finally:
            upstream.close()

    @staticmethod
    def _pass_answer_on(handler, response):
        body = response.read()
        handler.send_response(response.status)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        if response.status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _pass_stream_on(self, handler, response):
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        event = b""
        while line := response.readline():
            event += line
            if line not in (b"\n", b"\r\n"):
                continue
            if not (self.drop and self.drop(event)):
                handler.wfile.write(event)
                handler.wfile.flush()
            event = b""
