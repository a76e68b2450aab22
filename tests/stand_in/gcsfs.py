"""Stands in for gcsfs where it is not installed, in worker processes too: they inherit the path of modules.

What etils.epath asks of gcsfs, by the JSON API at STORAGE_EMULATOR_HOST and nowhere else, and the same exceptions.
"""

import io
import json
import os
import urllib.error
import urllib.request
from urllib.parse import quote, urlencode

import fsspec


class HttpError(Exception):
    """What gcsfs raises for most statuses; no OSError."""


class GCSFileSystem(fsspec.AbstractFileSystem):
    protocol = ("gs", "gcs")
    cachable = False

    def _open(self, path, mode="rb", **_):
        if mode == "wb":
            return _Upload(self, path)
        bucket, name = self._split(path)
        return io.BytesIO(_ask("GET", f"/storage/v1/b/{bucket}/o/{quote(name, '')}?alt=media"))

    def info(self, path, **_):
        bucket, name = self._split(path)
        listing = self._list(bucket, name)
        for item in listing["items"]:
            if item["name"] == name:
                return {"name": f"{bucket}/{name}", "size": int(item["size"]), "type": "file"}
        if name and not any(item["name"].startswith(f"{name}/") for item in listing["items"]):
            raise FileNotFoundError(path)
        return {"name": f"{bucket}/{name}".strip("/"), "size": 0, "type": "directory"}

    def exists(self, path, **_):
        try:
            return bool(self.info(path))
        except FileNotFoundError:
            return False

    def ls(self, path, detail=True, **_):
        path = self.info(path)["name"]
        bucket, name = self._split(path)
        listing = self._list(bucket, f"{name}/" if name else "", delimiter="/")
        names = [item["name"] for item in listing["items"]] + [prefix.strip("/") for prefix in listing["prefixes"]]
        return [self.info(f"{bucket}/{name}") if detail else f"{bucket}/{name}" for name in names]

    def _rm(self, path):
        bucket, name = self._split(path)
        if self.info(path)["type"] == "file":
            _ask("DELETE", f"/storage/v1/b/{bucket}/o/{quote(name, '')}")

    def _list(self, bucket, prefix, **query):
        return json.loads(_ask("GET", f"/storage/v1/b/{bucket}/o?{urlencode({'prefix': prefix, **query})}"))

    def _split(self, path):
        bucket, _, name = self._strip_protocol(path).partition("/")
        return bucket, name


class _Upload(io.BytesIO):
    def __init__(self, files, path):
        super().__init__()
        self._bucket, self._name = files._split(path)

    def close(self):
        content = None if self.closed else self.getvalue()
        super().close()  # first: what fails is not tried again when the object is collected
        if content is not None:
            query = urlencode({"uploadType": "media", "name": self._name})
            _ask("POST", f"/upload/storage/v1/b/{self._bucket}/o?{query}", content)


def _ask(method, path, content=None):
    request = urllib.request.Request(os.environ["STORAGE_EMULATOR_HOST"] + path, content, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        reason = json.loads(error.read())["error"]["message"]
        kind = {404: FileNotFoundError, 403: OSError}.get(error.code, HttpError)
        raise kind(f"{path}\n{reason}") from None
