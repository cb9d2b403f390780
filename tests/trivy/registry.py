"""Registries on a loopback port: the three endpoints that Trivy pulls a database through, for artifacts that
no registry would take, and a real one where it is installed."""

import contextlib
import hashlib
import http.server
import json
import socket
import subprocess
import threading
import urllib.parse
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = b"{}"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Artifact:
    """An OCI artifact: a manifest and its blobs."""

    def __init__(self, *layers, older=False):
        """`layers` are (media type, title or None, bytes)."""
        self.blobs = {digest(EMPTY): EMPTY}
        listed = []
        for media_type, title, content in layers:
            self.blobs[digest(content)] = content
            layer = {"mediaType": media_type, "digest": digest(content), "size": len(content)}
            if title is not None:
                layer["annotations"] = {"org.opencontainers.image.title": title}
            listed.append(layer)
        config = "application/vnd.aquasec.trivy.config.v1+json" if older else \
            "application/vnd.oci.empty.v1+json"
        document = {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": config, "digest": digest(EMPTY), "size": len(EMPTY)},
            "layers": listed,
        }
        if not older:
            document["artifactType"] = "application/vnd.aquasec.trivy.config.v1+json"
        self.manifest = json.dumps(document).encode()


@contextlib.contextmanager
def serving(artifacts):
    """Serves {(name, tag): artifact} while the block runs. Gives the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(True)

        def do_HEAD(self):
            self.answer(False)

        def answer(self, body):
            parts = self.path.strip("/").split("/")
            content, kind = None, "application/octet-stream"
            if parts == ["v2"]:
                content, kind = b"{}", "application/json"
            elif len(parts) > 3 and parts[-2] in ("manifests", "blobs"):
                name = "/".join(parts[1:-2])
                if parts[-2] == "manifests":
                    for (known, tag), artifact in artifacts.items():
                        if known == name and parts[-1] in (tag, digest(artifact.manifest)):
                            content, kind = artifact.manifest, MANIFEST
                else:
                    for (known, _), artifact in artifacts.items():
                        if known == name:
                            content = artifact.blobs.get(parts[-1], content)
            self.send_response(200 if content is not None else 404)
            content = content or b""
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", digest(content))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def distribution(program, folder):
    """The CNCF's registry (`docker-registry` on Debian), on a port of its own. Gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = folder / "registry.yml"
    settings.write_text(json.dumps({
        "version": 0.1, "log": {"level": "error"}, "http": {"addr": address},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
    }), encoding="utf-8")
    with open(folder / "registry.log", "wb") as log:
        process = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log)
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/v2/")
                break
            except OSError:
                if process.poll() is not None:
                    said = (folder / "registry.log").read_text(errors="replace")
                    raise RuntimeError(f"the registry ended with {process.returncode}: {said}")
        yield address
    finally:
        process.terminate()
        process.wait()


def push(address, name, tag, artifact):
    """Pushes an artifact as the distribution specification says: blobs first, then the manifest."""
    base = f"http://{address}/v2/{name}"

    def send(method, url, body=b"", kind="application/octet-stream"):
        request = urllib.request.Request(url, data=body, method=method,
                                         headers={"Content-Type": kind})
        return urllib.request.urlopen(request)

    for identity, content in artifact.blobs.items():
        with send("POST", f"{base}/blobs/uploads/") as begun:
            place = urllib.parse.urljoin(base, begun.headers["Location"])
        mark = "&" if "?" in place else "?"
        with send("PUT", f"{place}{mark}digest={identity}", content):
            pass
    with send("PUT", f"{base}/manifests/{tag}", artifact.manifest, MANIFEST):
        pass
