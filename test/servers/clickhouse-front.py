"""ClickHouse's engine (chdb) behind the part of its HTTP interface that inserts use: what is written and how an error is told
is the front's; what a query means, what a row may look like and which code an error has is the engine's.

    python clickhouse-front.py <port> <folder>
"""

import gzip
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from chdb import session

engine = session.Session(sys.argv[2])
turn = Lock()
# What the engine as a library does not take, and a server does.
SERVER_ONLY = {"query", "database", "insert_deduplication_token", "async_insert", "wait_for_async_insert"}
USER, KEY = "waybill", "open sesame"


class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("x-clickhouse-user") != USER or self.headers.get("x-clickhouse-key") != KEY:
            return self.answer(403, b"Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)", "516")
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        given = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        query = given.get("query", "")
        settings = ", ".join(f"{name} = '{value}'" for name, value in given.items() if name not in SERVER_ONLY)
        if query.startswith("INSERT"):
            into, form = re.fullmatch(r"(INSERT INTO \S+) FORMAT (\w+)", query).groups()
            query = f"{into} {'SETTINGS ' + settings if settings else ''} FORMAT {form}\n{body.decode()}"
        try:
            # Connections rest between requests, so each has a thread; the engine takes one query at a time.
            with turn:
                result = engine.query(query, "JSONEachRow").bytes()
        except Exception as error:
            words = str(error)
            code = re.search(r"Code: (\d+)", words)
            return self.answer(500, words.encode(), code.group(1) if code else "1002")
        self.answer(200, result)

    def answer(self, status, body, code=None):
        self.send_response(status)
        if code:
            self.send_header("x-clickhouse-exception-code", code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Front).serve_forever()
