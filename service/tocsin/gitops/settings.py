"""Settings of the GitOps repository."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from tocsin.gitops.layout import Layout, directory
from tocsin.gitops.template import compiled
from tocsin.section import Duration, Section


def _usable_template(value: str) -> str:
    compiled(value)
    return value


PathTemplate = Annotated[str, AfterValidator(_usable_template)]
Directory = Annotated[str, AfterValidator(directory)]


class GitSettings(Section):
    """A repository read with the git command: a directory that something else keeps fresh, or a URL to mirror."""

    path: Path | None = Field(
        default=None,
        description="Directory of a work tree or bare repository that something else keeps up to date (git-sync, a "
        "volume). Set this or `url`. Default: none.",
    )
    url: str | None = Field(
        default=None,
        description="Address to mirror: https://, ssh://, git@host:path or file://. Credentials do not belong in it; "
        "use `token_file` or `ssh_key`. Default: none.",
    )
    branch: str | None = Field(
        default=None,
        description="Branch that the cluster is built from. Default: the one that HEAD of the repository points to.",
    )
    data_directory: Path | None = Field(
        default=None,
        description="Directory of the bare mirror of `url`; 50 to 500 MiB for a usual repository. It may be lost: it "
        "is cloned again. Default: `gitops` beside the database.",
    )
    depth: int | None = Field(
        default=None,
        ge=1,
        description="How many commits the clone of `url` reaches back; later commits are added. What is older is not "
        "known; `tocsin check` says where it ends. Holds from the next clone. Default: all.",
    )
    filter: str | None = Field(
        default=None,
        pattern=r"^blob:(none|limit=\d{1,9}[kmg]?)$",
        description="Leave old files out of the clone of `url`, as in `git clone --filter`: `blob:none`, or "
        "`blob:limit=1m` for those of 1 MiB and more. What an alert then needs of them is fetched inside the alert, in "
        "one request: slower, and a gap when the remote does not answer. Default: none.",
    )
    username: str = Field(
        default="x-access-token",
        description="User name sent with the token over https. Default: what GitHub expects; GitLab takes `oauth2`.",
    )
    token: SecretStr | None = Field(
        default=None, description="Token for https. Default: none, for public repositories."
    )
    token_file: Path | None = Field(default=None, description="File that holds the token. Default: none.")
    ssh_key: Path | None = Field(
        default=None, description="Private key file for ssh. Default: none, ssh then uses its own configuration."
    )
    ssh_known_hosts: Path | None = Field(
        default=None,
        description="known_hosts file for ssh; a host not in it is refused. Default: none, ssh then uses its own.",
    )
    refresh_every: Duration = Field(
        default=timedelta(minutes=5),
        ge=timedelta(seconds=5),
        description="How often to fetch, in the background. Default 5 min: Flux reconciles a repository as often.",
    )
    fetch_timeout: Duration = Field(
        default=timedelta(minutes=5),
        gt=timedelta(0),
        description="Longest time of one clone or fetch. Default 5 min: a first clone of a large repository.",
    )
    command_timeout: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="Longest time of one local git command. Default 10 s: usual are 5 to 50 ms; the deadline of the "
        "lookups ends it sooner inside an alert.",
    )
    web_url: str = Field(
        default="",
        description="Web page of the repository, for links to commits. Default: empty, known for github.com by itself.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("set exactly one of path and url")
        if self.url is not None:
            _check_url(self.url)
        if self.url is None and (self.depth is not None or self.filter is not None):
            raise ValueError("depth and filter are about the clone of a url")
        if self.token is not None and not (self.url or "").startswith(("https://", "http://")):
            raise ValueError("a token needs an https:// url")
        if self.branch is not None and (self.branch.startswith("-") or ".." in self.branch):
            raise ValueError("branch: not a branch name")
        return self


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if url.startswith("-") or "::" in url:
        raise ValueError("url: not an address git can fetch from")
    if parts.password or (parts.username and parts.scheme in ("http", "https")):
        raise ValueError("url: credentials do not belong in it, use token_file")
    if parts.scheme not in ("http", "https", "ssh", "git", "file") and ":" not in url:
        raise ValueError("url: use https://, ssh://, git@host:path or file://; a directory goes into `path`")


class GitHubSettings(Section):
    """A repository read through GitHub's API, without a clone."""

    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", description="Repository as `owner/name`. Required."
    )
    branch: str | None = Field(
        default=None, description="Branch that the cluster is built from. Default: the repository's default branch."
    )
    token: SecretStr | None = Field(
        default=None,
        description="Fine-grained token with contents:read and pull requests:read. Default: none, which GitHub limits "
        "to 60 requests an hour.",
    )
    token_file: Path | None = Field(default=None, description="File that holds the token. Default: none.")
    base_url: str = Field(
        default="https://api.github.com",
        pattern=r"^https?://",
        description="Address of the API. Default: github.com; GitHub Enterprise Server has https://HOST/api/v3.",
    )
    refresh_every: Duration = Field(
        default=timedelta(minutes=5),
        ge=timedelta(seconds=5),
        description="How often to look for a new commit, in the background. Default 5 min: an unchanged branch costs "
        "no rate limit, a new commit one archive.",
    )
    request_timeout: Duration = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        description="Longest time of one request; then its connection is given up. Default 10 s: usual are 50 to "
        "300 ms.",
    )
    archive_timeout: Duration = Field(
        default=timedelta(minutes=2),
        gt=timedelta(0),
        description="Longest time to fetch the archive of one commit. Default 2 min.",
    )
    max_archive_mib: int = Field(
        default=256, ge=1, description="Largest archive accepted, in MiB, on disk while it is read. Default 256 MiB."
    )


class GitOpsSettings(Section):
    """Where the policies are kept. Set `git`, `github` or neither; without one the messages say what is not known."""

    git: GitSettings | None = Field(
        default=None, description="Read the repository with git; fastest, and needs no rate limit. Default: none."
    )
    github: GitHubSettings | None = Field(
        default=None, description="Read the repository through GitHub's API; needs no clone. Default: none."
    )
    roots: tuple[Directory, ...] = Field(
        default=(),
        description="Directories that are applied to the cluster, for example `kubernetes/flux/cluster`; what none of "
        "them reaches is marked as not deployed. Default: found, from FluxInstances, from the Flux Kustomizations that "
        "take in others, and from Argo CD's Applications; set it where one repository serves several clusters.",
    )
    path_templates: tuple[PathTemplate, ...] = Field(
        default=("kubernetes/apps/{namespace}/{app}/**",),
        description="Where the namespace of a policy is read from when it names none itself: `{namespace}` and `{app}` "
        "are one folder each, `*` is part of a name, `**` any folders; the first that matches the whole path counts. "
        "Default: the layout most Flux repositories have.",
    )

    @property
    def layout(self) -> Layout:
        """How to read the repository."""
        return Layout(self.roots, self.path_templates)

    @model_validator(mode="after")
    def _one_adapter(self) -> Self:
        if self.git is not None and self.github is not None:
            raise ValueError("set git or github, not both")
        return self
