"""A Google Cloud Storage of one process: the JSON API over HTTP as far as orbax, TensorStore and gcsfs call it.

API: https://cloud.google.com/storage/docs/json_api. Objects lie in a dict; every write gets a new generation, and
`ifGenerationMatch` and `ifGenerationNotMatch` are honoured, because TensorStore's writes depend on them.
"""

import base64
import email
import hashlib
import itertools
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

TIME = "2026-01-01T00:00:00.000Z"


class Object(NamedTuple):
    content: bytes
    generation: int


class Refused(Exception):
    """An HTTP status other than success."""

    def __init__(self, status: int, reason: str = ""):
        super().__init__(reason)
        self.status, self.reason = status, reason


class FakeStorage:
    """Buckets that exist and their objects; `serve` makes them reachable at `url`.

    `objects` maps (bucket, name) to `Object`. `forbidden` refuses every request with this status, as a store does
    whose caller has no credentials (401) or no permission (403).
    """

    def __init__(self, *buckets: str):
        self.buckets, self.objects = set(buckets), {}
        self.forbidden: int | None = None
        self.requests: list[str] = []
        self._generations, self._lock = itertools.count(1), threading.RLock()
        self._sessions: dict[str, tuple[str, str, dict, bytes]] = {}
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": self}))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FakeStorage":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def names(self, bucket: str, prefix: str = "") -> list[str]:
        return sorted(name for b, name in list(self.objects) if b == bucket and name.startswith(prefix))

    def put(self, bucket: str, name: str, content: bytes, query: dict | None = None) -> dict:
        with self._lock:
            self._bucket(bucket)
            self._check(self.objects.get((bucket, name)), query or {})
            self.objects[bucket, name] = Object(bytes(content), next(self._generations))
            return self.metadata(bucket, name)

    def get(self, bucket: str, name: str, query: dict) -> Object:
        with self._lock:
            self._bucket(bucket)
            found = self.objects.get((bucket, name))
            if found is None:
                raise Refused(404, f"No such object: {bucket}/{name}")
            self._check(found, query)
            return found

    def delete(self, bucket: str, name: str, query: dict) -> None:
        with self._lock:
            self.get(bucket, name, query)
            del self.objects[bucket, name]

    def metadata(self, bucket: str, name: str) -> dict:
        found = self.objects[bucket, name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "id": f"{bucket}/{name}/{found.generation}",
            "size": str(len(found.content)),
            "generation": str(found.generation),
            "metageneration": "1",
            "md5Hash": base64.b64encode(hashlib.md5(found.content).digest()).decode(),
            "timeCreated": TIME,
            "updated": TIME,
        }

    def list(self, bucket: str, query: dict) -> dict:
        self._bucket(bucket)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        with self._lock:
            for name in self.names(bucket, prefix):
                if name < query.get("startOffset", "") or ("endOffset" in query and name >= query["endOffset"]):
                    continue
                head, mark, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
                if mark:
                    prefixes.add(prefix + head + mark)
                else:
                    items.append(self.metadata(bucket, name))
        return {"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)}

    def begin(self, bucket: str, name: str, query: dict) -> str:
        """A resumable upload; returns its id."""
        self._bucket(bucket)
        session = str(next(self._generations))
        self._sessions[session] = (bucket, name, query, b"")
        return session

    def proceed(self, session: str, chunk: bytes, last: bool) -> dict | int:
        """Takes a chunk; returns the metadata of the finished object, or how many bytes have arrived."""
        bucket, name, query, before = self._sessions[session]
        self._sessions[session] = (bucket, name, query, before + chunk)
        return self.put(bucket, name, before + chunk, query) if last else len(before + chunk)

    def _bucket(self, bucket: str) -> None:
        if self.forbidden:
            raise Refused(self.forbidden, "Anonymous caller does not have storage.objects.get access")
        if bucket not in self.buckets:
            raise Refused(404, "The specified bucket does not exist.")

    @staticmethod
    def _check(found: Object | None, query: dict) -> None:
        generation = found.generation if found else 0
        if int(query.get("ifGenerationMatch", generation)) != generation:
            raise Refused(412, "conditionNotMet")
        if query.get("ifGenerationNotMatch") == str(generation):
            raise Refused(304)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # clients leave when they know enough
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    storage: FakeStorage
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self._answer(self._get)

    def do_POST(self):
        self._answer(self._post)

    def do_PUT(self):
        self._answer(self._put)

    def do_DELETE(self):
        self._answer(self._delete)

    def log_message(self, *_):
        pass

    def _answer(self, act) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        self.storage.requests.append(f"{self.command} {self.path}")
        try:
            status, content, headers = act(parts, query, body)
        except Refused as refusal:
            error = {"error": {"code": refusal.status, "message": refusal.reason}}
            status, content, headers = refusal.status, (b"" if refusal.status == 304 else error), {}
        if isinstance(content, dict):
            content, headers = json.dumps(content).encode(), {"Content-Type": "application/json"} | headers
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _get(self, parts, query, body):
        match parts:
            case ["storage", "v1", "b", bucket]:
                self.storage._bucket(bucket)
                return 200, {"kind": "storage#bucket", "id": bucket, "name": bucket}, {}
            case ["storage", "v1", "b", bucket, "o"]:
                return 200, self.storage.list(bucket, query), {}
            case ["storage" | "download", *rest, "b", bucket, "o", name]:
                found = self.storage.get(bucket, name, query)
                if query.get("alt") == "media" or rest[:1] == ["storage"]:
                    return self._media(found)
                return 200, self.storage.metadata(bucket, name), {}
        raise Refused(404, f"no such method: {self.path}")

    def _media(self, found: Object):
        size = len(found.content)
        headers = {"X-Goog-Generation": str(found.generation), "Content-Type": "application/octet-stream"}
        if not (wanted := self.headers.get("Range")):
            return 200, found.content, headers
        first, last = wanted.removeprefix("bytes=").split("-")
        start = int(first) if first else max(0, size - int(last))
        stop = min(int(last) + 1, size) if first and last else size
        if start >= size:
            raise Refused(416, "Request range not satisfiable")
        return 206, found.content[start:stop], headers | {"Content-Range": f"bytes {start}-{stop - 1}/{size}"}

    def _post(self, parts, query, body):
        if "upload_id" in query:  # gcsfs posts the parts that others put
            return self._put(parts, query, body)
        match parts:
            case ["upload", "storage", "v1", "b", bucket, "o"]:
                if query["uploadType"] == "media":
                    return 200, self.storage.put(bucket, query["name"], body, query), {}
                if query["uploadType"] == "multipart":
                    described, content = _multipart(self.headers["Content-Type"], body)
                    return 200, self.storage.put(bucket, json.loads(described)["name"], content, query), {}
                name = query.get("name") or json.loads(body)["name"]
                session = self.storage.begin(bucket, name, query)
                place = f"{self.storage.url}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={session}"
                return 200, {}, {"Location": place}
            case ["storage", "v1", "b", bucket, "o", name, "rewriteTo" | "copyTo", "b", bucket2, "o", name2]:
                copy = self.storage.put(bucket2, name2, self.storage.get(bucket, name, {}).content, query)
                return 200, {"kind": "storage#rewriteResponse", "done": True, "resource": copy} | copy, {}
        raise Refused(404, f"no such method: {self.path}")

    def _put(self, parts, query, body):
        total = self.headers.get("Content-Range", "bytes */0").rpartition("/")[2]
        done = self.storage.proceed(query["upload_id"], body, last=total != "*")
        if isinstance(done, dict):
            return 200, done, {}
        return 308, b"", {"Range": f"bytes=0-{done - 1}"}

    def _delete(self, parts, query, body):
        match parts:
            case ["storage", "v1", "b", bucket, "o", name]:
                self.storage.delete(bucket, name, query)
                return 204, b"", {}
        raise Refused(404, f"no such method: {self.path}")


def _multipart(kind: str, body: bytes) -> list[bytes]:
    message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    return [part.get_payload(decode=True) for part in message.get_payload()]
