"""Names the workload of a pod from what the GitOps repository declares."""

from collections.abc import Collection, Mapping

from tocsin.errors import LookupFailed
from tocsin.gitops.repository import Repository
from tocsin.gitops.resolve import resolve


class DeclaredOwners:
    """For pods that Kubernetes's own series do not know, or where nobody collects them."""

    evidence = "declared in the repository"

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    @property
    def source(self) -> str:
        """The repository's name: "git" or "GitHub"."""
        return self._repository.source

    async def owners(self, pods: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """Workloads by namespace and pod, from memory; none while no commit has been read, which another gap says."""
        try:
            index = self._repository.snapshot().index
        except LookupFailed:
            return {}
        found = {(namespace, pod): resolve(index, namespace, pod).workload for namespace, pod in pods}
        return {pod: workload for pod, workload in found.items() if workload}
