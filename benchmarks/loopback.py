"""A web on loopback for benchmarks: nginx over a folder, and a server that never answers."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

CONFIG = """
{user}
daemon off;
pid {work}/nginx.pid;
error_log {work}/error.log crit;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  log_format path '$request_uri';
  access_log {log};
  keepalive_requests 1000000;
  client_body_temp_path {work}/1; proxy_temp_path {work}/2; fastcgi_temp_path {work}/3;
  uwsgi_temp_path {work}/4; scgi_temp_path {work}/5;
  default_type application/octet-stream;
  types {{ image/jpeg jpg; text/plain txt; }}
  server {{ listen {port} backlog=4096; root {root}; {more} }}
}}
"""


@contextmanager
def nginx(root: Path, work: Path, more: str = "", log: Path | None = None) -> Iterator[int]:
    """Serve `root` on all loopback addresses; gives the port. `log` gets the paths asked for."""
    if shutil.which("nginx") is None:
        sys.exit("nginx is not installed: apt-get install nginx-light")
    work.mkdir(parents=True, exist_ok=True)
    port = free_port()
    told = f"{log} path buffer=64k flush=1s" if log else "off"
    config = work / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""  # or it would give its rights away
    names = {"work": work, "root": root, "port": port, "more": more, "log": told, "user": user}
    config.write_text(CONFIG.format(**names))
    command = ["nginx", "-c", str(config), "-e", str(work / "error.log")]
    with subprocess.Popen(command) as server:
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.terminate()


@contextmanager
def tar_pit() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("0.0.0.0", 0), backlog=64) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    while server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
    sys.exit(f"nginx did not start: exit code {server.returncode}")
