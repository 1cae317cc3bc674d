"""An API that takes work and reports its end later, in Python without packages: python3 upstream.py"""

import json
import os
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(os.environ.get("PORT", "9002"))
SECONDS = float(os.environ.get("SECONDS_OF_WORK", "2"))


def tell(url, token, report):
    """Tells the gateway, and again while it cannot be reached. 404 and 409 are final."""
    pause = 0.5
    while pause < 60:
        request = urllib.request.Request(
            url,
            json.dumps(report).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return error.code
        except OSError:
            pass  # nobody there just now
        time.sleep(pause)
        pause *= 2
    return None


def work(order, url, token):
    tell(url, token, {"message": "Collecting the numbers", "data": {"percent": 0}})
    time.sleep(SECONDS / 2)
    tell(url, token, {"message": "Drawing the charts", "data": {"percent": 50}})
    time.sleep(SECONDS / 2)
    if order.get("topic"):
        status, result = "completed", {"status": 200, "body": {"topic": order["topic"], "pages": 12}}
    else:
        status, result = "failed", {"status": 422, "body": {"message": "topic is missing"}}
    print(status, tell(url, token, {"status": status, "result": result}), flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = self.headers.get("Restante-Events-Url")
        if self.path != "/reports" or not url:
            self.send_error(404)
            return
        try:
            order = json.loads(body)
        except ValueError:
            order = {}  # told as a failure below
        self.send_response(202)
        self.send_header("Restante-Completion", "deferred")
        self.send_header("Content-Length", "0")
        self.end_headers()
        token = self.headers["Restante-Events-Token"]
        threading.Thread(target=work, args=(order, url, token), daemon=True).start()

    def log_message(self, format, *args):
        pass


if __name__ == "__main__":
    print(f"http://127.0.0.1:{PORT}", flush=True)
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
