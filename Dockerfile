# Any Debian image whose python3 is 3.11 or newer; where there is none, Debian's is installed.
ARG BASE=python:3.11-slim-bookworm

# The first and only FROM that names an image: `buildah build --from` replaces it for both stages below.
FROM ${BASE} AS base
# git, over https or ssh, answers the policy history. Versions follow the Debian release; what the base has is left alone.
# Logs, caches and backups go: they would make every build a different one.
# hadolint ignore=DL3008
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get update \
 && apt-get install --yes --no-install-recommends --no-upgrade ca-certificates git openssh-client \
 && { command -v python3 || apt-get install --yes --no-install-recommends python3; } \
 && apt-get clean \
 && rm -rf /var/lib/apt/lists/* /var/cache/ldconfig/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
 && find /var/log -type f -delete

FROM base AS build
# pip's own variables, for an index or a directory of wheels; an /etc/pip.conf mounted for the build does as well.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG PIP_CERT
ARG SOURCE_DATE_EPOCH
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0
WORKDIR /src
# Debian keeps ensurepip apart from the interpreter.
# hadolint ignore=DL3008,DL3009
RUN python3 -c 'import ensurepip' \
 || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv; }
RUN python3 -m venv --without-pip /opt/tocsin && python3 -m venv /opt/build
# Both locks hash every package. The build back end is in the development one, and all that is taken from it.
COPY requirements.lock requirements-dev.lock ./
RUN sed -n '/^setuptools==/,/# via/p' requirements-dev.lock >build.lock \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement build.lock \
 && /opt/build/bin/pip --python /opt/tocsin/bin/python install --no-compile \
      --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY service service
# Byte code is written here, once: the running container has a read-only root. One process: several may give other bytes.
RUN chmod -R go=u-w . \
 && /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheel . \
 && /opt/build/bin/pip --python /opt/tocsin/bin/python install --no-compile --no-deps --no-index /wheel/*.whl \
 && python3 -m compileall -q --invalidation-mode unchecked-hash /opt/tocsin/lib

FROM base
# pip and its company go, whether the base has them in /usr/local or as packages. ssh refuses a user that has no name.
# The official base has no byte code for the standard library: without it, every start would compile it again.
RUN rm -rf /usr/local/bin/pip* /usr/local/bin/wheel /usr/local/lib/python3*/site-packages/* \
      /usr/local/lib/python3*/ensurepip /usr/lib/python3*/ensurepip /usr/share/python-wheels \
 && dpkg --purge python3-pip python3-setuptools python3-wheel \
 && PYTHONHASHSEED=0 python3 -m compileall -q -f --invalidation-mode unchecked-hash -x '/(tests?|idlelib|lib2to3)/' \
      "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && rm -rf /var/lib/dpkg/*-old /var/log/dpkg.log \
 && echo 'tocsin:x:65532:' >>/etc/group \
 && echo 'tocsin:x:65532:65532::/data:/usr/sbin/nologin' >>/etc/passwd \
 && install --directory --owner=65532 --group=65532 --mode=0700 /data
COPY --from=build /opt/tocsin /opt/tocsin
COPY --chmod=0644 config/tocsin.yaml config/apps.yaml /etc/tocsin/
ENV PATH=/opt/tocsin/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data
USER 65532:65532
VOLUME /data
WORKDIR /data
EXPOSE 8080
STOPSIGNAL SIGTERM
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tocsin" \
      org.opencontainers.image.description="Turns Cilium egress alerts from Alertmanager into one message an operator can decide on." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The orchestrator asks /healthz and /readyz; a HEALTHCHECK would be a second opinion from inside.
ENTRYPOINT ["tocsin"]
CMD ["serve"]
