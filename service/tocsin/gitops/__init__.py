"""The GitOps repository: which policies it declares, and what changed them. Adapters: git.py and github.py."""
