"""Remotes of a git repository as they are met in the wild: smart HTTP with a token, ssh with a key."""

import asyncio
import base64
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

BACKEND = Path(subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip())


class SmartHttp:
    """`git http-backend` behind a server that wants the token as GitHub does; `seen` are the Authorization headers."""

    def __init__(self, repository: Path, token: str) -> None:
        self.repository = repository
        self.seen: list[str | None] = []
        self.url = ""
        self._wanted = f"Basic {base64.b64encode(f'x-access-token:{token}'.encode()).decode()}"

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.headers.get("Authorization"))
        if self.seen[-1] != self._wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        process = await asyncio.create_subprocess_exec(
            str(BACKEND / "git-http-backend"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.repository.parent),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "PATH_INFO": f"/{self.repository.name}/{request.match_info['path']}",
                "REQUEST_METHOD": request.method,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            },
        )
        output, _ = await process.communicate(await request.read())
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return web.Response(status=int(headers.pop("Status", "200").split()[0]), headers=headers, body=body)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["SmartHttp"]:
        app = web.Application()
        app.router.add_route("*", "/ada/home.git/{path:.*}", self.answer)
        server = TestServer(app)
        await server.start_server()
        self.url = str(server.make_url("/ada/home.git"))
        try:
            yield self
        finally:
            await server.close()


def ssh_stand_in(directory: Path, log: Path) -> Path:
    """An `ssh` to be put in front of PATH: notes its arguments and runs the command here."""
    directory.mkdir(parents=True, exist_ok=True)
    script = directory / "ssh"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{log}\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    return directory
