"""A GitHub that answers from a git repository, as docs.github.com describes the endpoints used here."""

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

REPOSITORY = "ada/home"
_FORMAT = "%H%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


class FakeGitHub:
    """`trouble` answers every request instead when set, or those whose path has `trouble_at` in it; `hold` holds
    answers back until it is set; `asked` lists what was requested, `answered` the statuses."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.asked: list[str] = []
        self.answered: list[int] = []
        self.trouble_at = ""
        self.trouble: tuple[int, dict[str, str], str] | None = None
        self.hold: asyncio.Event | None = None
        self.merged_by: dict[str, int] = {}
        self.token: str | None = None
        self.url = ""

    def git(self, *arguments: str) -> bytes:
        done = subprocess.run(["git", *arguments], cwd=self.repository, capture_output=True)
        if done.returncode:
            raise web.HTTPNotFound(text=json.dumps({"message": "Not Found"}), content_type="application/json")
        return done.stdout

    @web.middleware
    async def _watch(self, request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        answer = await self._answer(request, handler)
        self.answered.append(answer.status)
        return answer

    async def _answer(self, request: web.Request, handler: web.RequestHandler) -> web.StreamResponse:
        concerned = self.trouble_at in request.path
        if self.hold is not None and concerned:
            await self.hold.wait()
        if self.trouble is not None and concerned:
            status, headers, text = self.trouble
            return web.Response(status=status, headers=headers, text=text)
        wanted = f"token {self.token}" if self.token and request.path.startswith("/repos/") else None
        if wanted and request.headers.get("Authorization") != wanted:
            return web.json_response({"message": "Bad credentials"}, status=401)
        return await handler(request)

    async def commits(self, request: web.Request) -> web.Response:
        query = request.query
        page, size = int(query.get("page", 1)), int(query.get("per_page", 30))
        since = [f"--{word}={query[word]}" for word in ("since", "until") if word in query]
        paths = ["--", query["path"]] if "path" in query else []
        options = [f"--skip={(page - 1) * size}", f"--max-count={size + 1}"]
        shas = self.git("log", "--format=%H", *options, *since, query.get("sha", "HEAD"), *paths).decode().split()
        headers = {}
        if len(shas) > size:
            headers["Link"] = f'<{self.url}{request.rel_url.update_query(page=page + 1)}>; rel="next"'
        return web.json_response([self._commit(sha) for sha in shas[:size]], headers=headers)

    async def commit(self, request: web.Request) -> web.Response:
        sha = self.git("rev-parse", "--verify", f"{request.match_info['ref']}^{{commit}}").decode().strip()
        if request.headers.get("Accept") == "application/vnd.github.sha":
            if request.headers.get("If-None-Match") == f'"{sha}"':
                return web.Response(status=304)
            return web.Response(text=sha, headers={"ETag": f'"{sha}"'}, content_type="application/vnd.github.sha")
        return web.json_response(self._commit(sha) | {"files": self._files(sha)})

    def _commit(self, sha: str) -> dict[str, object]:
        _, parents, *people, message = self.git("show", "-s", f"--format={_FORMAT}", sha).decode().split("\0")
        url = f"{self.url}/repos/{REPOSITORY}/commits/"
        return {
            "sha": sha,
            "url": url + sha,
            "commit": {
                "author": dict(zip(("name", "email", "date"), people[:3], strict=True)),
                "committer": dict(zip(("name", "email", "date"), people[3:], strict=True)),
                "message": message.strip(),
            },
            "parents": [{"sha": parent, "url": url + parent} for parent in parents.split()],
        }

    def _files(self, sha: str) -> list[dict[str, str]]:
        """The files against the first parent, renames found and huge patches left out, as GitHub does."""
        show = ("show", "--first-parent", "--format=", "-M")
        words = self.git(*show, "--name-status", "-z", sha).decode().split("\0")
        found = []
        while len(words) > 1:
            letter, name = words.pop(0), words.pop(0)
            file = {"status": {"A": "added", "D": "removed", "R": "renamed"}.get(letter[0], "modified")}
            if letter[0] == "R":
                file["previous_filename"], name = name, words.pop(0)
            earlier = [file["previous_filename"]] if letter[0] == "R" else []
            patch = self.git(*show, sha, "--", *earlier, name).decode().partition("\n@@")[2]
            found.append(file | {"filename": name} | ({"patch": f"@@{patch}"} if len(patch) < 100_000 else {}))
        return found

    async def pulls(self, request: web.Request) -> web.Response:
        number = self.merged_by.get(request.match_info["ref"])
        return web.json_response([{"number": number}] if number else [])

    async def contents(self, request: web.Request) -> web.Response:
        name = request.match_info["path"]
        text = self.git("cat-file", "blob", f"{request.query['ref']}:{name}")
        return web.json_response(
            {
                "type": "file",
                "path": name,
                "size": len(text),
                "encoding": "base64",
                "content": base64.encodebytes(text).decode(),
            }
        )

    async def tarball(self, request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{self.url}/archive/{request.match_info['ref']}"})

    async def archive(self, request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        sha = request.match_info["ref"]
        return web.Response(body=self.git("archive", "--format=tar.gz", f"--prefix=ada-home-{sha[:7]}/", sha))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeGitHub"]:
        app = web.Application(middlewares=[self._watch])
        repo = f"/repos/{REPOSITORY}"
        app.router.add_get(f"{repo}/commits", self.commits)
        app.router.add_get(f"{repo}/commits/{{ref}}", self.commit)
        app.router.add_get(f"{repo}/commits/{{ref}}/pulls", self.pulls)
        app.router.add_get(f"{repo}/contents/{{path:.*}}", self.contents)
        app.router.add_get(f"{repo}/tarball/{{ref}}", self.tarball)
        app.router.add_get("/archive/{ref}", self.archive)
        server = TestServer(app)
        await server.start_server()
        self.url = str(server.make_url("")).rstrip("/")
        try:
            yield self
        finally:
            if self.hold is not None:
                self.hold.set()
            await server.close()
