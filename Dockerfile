# syntax=docker/dockerfile:1
ARG PYTHON=3.11
ARG DEBIAN=bookworm

FROM python:${PYTHON}-slim-${DEBIAN} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv /opt/tocsin /opt/build-tools
# Both lock files hash every package; the development one also holds the build back end.
COPY requirements.lock requirements-dev.lock ./
RUN /opt/tocsin/bin/pip install --require-hashes --requirement requirements.lock \
 && /opt/build-tools/bin/pip install --require-hashes --requirement requirements-dev.lock
COPY pyproject.toml README.md ./
COPY service service
# Byte code is written here, once: the running container has a read-only root.
RUN /opt/build-tools/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
 && /opt/tocsin/bin/pip install --no-deps --no-index --no-compile /wheel/*.whl \
 && /opt/tocsin/bin/pip uninstall --yes setuptools pip \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/tocsin/lib

FROM python:${PYTHON}-slim-${DEBIAN}
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tocsin" \
      org.opencontainers.image.description="Turns Cilium egress alerts from Alertmanager into one message an operator can decide on." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# git, over https or ssh, answers the policy history; versions follow the Debian release.
# ssh refuses to run for a user that has no name.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates git openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 tocsin \
 && useradd --no-log-init --uid 65532 --gid 65532 --home-dir /data --no-create-home --shell /usr/sbin/nologin tocsin \
 && install --directory --owner=65532 --group=65532 --mode=0700 /data
COPY --from=build /opt/tocsin /opt/tocsin
COPY config/tocsin.yaml config/apps.yaml /etc/tocsin/
ENV PATH=/opt/tocsin/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data
USER 65532:65532
VOLUME /data
WORKDIR /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# The orchestrator asks /healthz and /readyz; a HEALTHCHECK would be a second opinion from inside.
ENTRYPOINT ["tocsin"]
CMD ["serve"]
