"""Runs a command while a server of headlines runs; the command finds its port in PORT."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

HEADLINES = {
    "headlines": [
        {"title": "Rain, and more of it", "points": 7},
        {"title": "Größte Brücke der Welt eröffnet", "points": 41},
        {"title": "A cat has come back", "points": 23},
    ]
}


class Headlines(BaseHTTPRequestHandler):
    """Answers `/headlines` and nothing else."""

    def do_GET(self) -> None:
        """Answers a request."""
        if self.path != "/headlines":
            self.send_error(404)
            return
        body = json.dumps(HEADLINES).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


server = HTTPServer(("127.0.0.1", 0), Headlines)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = str(server.server_address[1])
sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, "PORT": port}, check=False).returncode)
