"""Runs one git command: bounded in time and output, without prompts, hooks or surprises from configuration."""

import asyncio
import base64
import os
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tocsin import inert
from tocsin.errors import LookupFailed
from tocsin.gitops.settings import GitSettings

MAX_OUTPUT_BYTES: Final = 64 * 1024 * 1024
_MAX_ERROR_BYTES: Final = 64 * 1024
_CHUNK: Final = 1 << 16
_INHERITED: Final = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO", "TMPDIR", "SSH_AUTH_SOCK")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_HARMLESS: Final = {
    "safe.directory": "*",
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.pager": "cat",
    "credential.helper": "",
    "gc.autoDetach": "false",
    "gc.writeCommitGraph": "false",
    "maintenance.autoDetach": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.showSignature": "false",
    "log.follow": "false",
    "diff.noprefix": "false",
    "diff.mnemonicPrefix": "false",
    "diff.relative": "false",
    "core.quotePath": "false",
    # Whoever answers at the configured address sends us nowhere else, and no token either.
    "http.followRedirects": "false",
    "transfer.bundleURI": "false",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "protocol.ext.allow": "never",
}
_REASONS: Final = (
    (
        r"Authentication failed|could not read Username|Permission denied|returned error: 40[13]",
        "authentication failed",
    ),
    (r"returned error: 30\d", "redirects elsewhere; set gitops.git.url to its real address, often the one with .git"),
    (r"Host key verification failed", "host key verification failed"),
    (r"Could not resolve host", "cannot resolve the host"),
    (r"couldn't find remote ref|Remote branch .* not found", "the branch does not exist"),
    (r"[Rr]epository .*not found|returned error: 404|does not appear to be a git repository", "repository not found"),
    (r"not a git repository", "not a git repository"),
    (
        r"unable to access|Connection (?:refused|timed out|reset)|Could not read from remote",
        "cannot reach the repository",
    ),
)


class Inconclusive(LookupFailed):
    """The command failed for a reason that says nothing about the state of the repository, such as its time."""


class Git:
    """The git command in one repository. `directory` need not exist before `init`."""

    def __init__(self, directory: Path, settings: GitSettings) -> None:
        self.directory = directory
        self._timeout = settings.command_timeout
        self._environment = _environment(settings)
        self._secrets = _secrets(settings)

    async def run(self, *arguments: str, stdin: bytes = b"", within: timedelta | None = None) -> bytes:
        """Returns the output; raises LookupFailed when the command fails, Inconclusive when it takes or says too much.

        The process group is killed when the caller is cancelled or the output exceeds MAX_OUTPUT_BYTES.
        """
        allowed = within or self._timeout
        try:
            process = await asyncio.create_subprocess_exec(
                "git",
                "--no-pager",
                "--literal-pathspecs",
                f"--git-dir={_git_directory(self.directory)}",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as failure:
            raise Inconclusive(f"cannot run git: {failure.strerror}") from failure
        try:
            async with asyncio.timeout(allowed.total_seconds()):
                _, output, errors = await asyncio.gather(
                    _feed(process, stdin),
                    _read(process.stdout, MAX_OUTPUT_BYTES),
                    _read(process.stderr, _MAX_ERROR_BYTES),
                )
                status = await process.wait()
        except TimeoutError as failure:
            raise Inconclusive(f"git {arguments[0]} timed out after {allowed.total_seconds():g} s") from failure
        finally:
            await _end(process)
        if status:
            raise LookupFailed(reason(self._blot(errors.decode(errors="replace")), arguments[0]))
        return output

    def _blot(self, text: str) -> str:
        """Without the credentials that a remote may repeat in what it says of them."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _git_directory(directory: Path) -> Path:
    """Looked up for every command: a volume may be filled after the start."""
    inside = directory / ".git"
    return inside if inside.exists() else directory


def _environment(settings: GitSettings) -> Mapping[str, str]:
    """Secrets travel in the environment of the process, never in its arguments."""
    configuration = dict(_HARMLESS)
    if settings.url is not None:
        configuration["remote.origin.url"] = settings.url
        if settings.token is not None:
            configuration[f"http.{settings.url}.extraHeader"] = f"Authorization: Basic {_secrets(settings)[0]}"
    variables = {name: os.environ[name] for name in _INHERITED + _PROXIES if name in os.environ}
    variables |= {
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": _protocol(settings.url),
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": _ssh_command(settings),
        "GIT_CONFIG_COUNT": str(len(configuration)),
    }
    for number, (key, value) in enumerate(configuration.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def _secrets(settings: GitSettings) -> tuple[str, ...]:
    """The credentials as they travel, and as they were configured."""
    if settings.token is None:
        return ()
    token = settings.token.get_secret_value()
    return base64.b64encode(f"{settings.username}:{token}".encode()).decode(), token


def _protocol(url: str | None) -> str:
    """The only one git may speak: that of the configured address, none for a repository that is only read."""
    if url is None:
        return ""
    scheme = urlsplit(url).scheme
    return scheme if scheme in ("file", "git", "http", "https", "ssh") else "ssh"  # user@host:path


def _ssh_command(settings: GitSettings) -> str:
    words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
    if settings.ssh_key is not None:
        words += ["-i", str(settings.ssh_key), "-o", "IdentitiesOnly=yes"]
    if settings.ssh_known_hosts is not None:
        words += ["-o", f"UserKnownHostsFile={settings.ssh_known_hosts}", "-o", "StrictHostKeyChecking=yes"]
    return shlex.join(words)


async def _feed(process: asyncio.subprocess.Process, content: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - opened as a pipe above
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(content)
        await process.stdin.drain()
    process.stdin.close()


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    content = bytearray()
    while stream is not None and (chunk := await stream.read(_CHUNK)):
        content += chunk
        if len(content) > limit:
            raise Inconclusive(f"git answered with more than {limit} bytes")
    return bytes(content)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def reason(errors: str, command: str) -> str:
    """A short sentence for what git wrote to its standard error. Pure."""
    for pattern, said in _REASONS:
        if re.search(pattern, errors):
            return said
    lines: Sequence[str] = [line for line in errors.splitlines() if line.startswith(("fatal:", "error:"))]
    last = lines[-1].partition(":")[2].strip() if lines else "no reason given"
    return inert.text(f"git {command} failed: {last}", 160)
