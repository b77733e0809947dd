# Brings live events into Kinesis. Build it in the root folder:
#   docker build --file containers/feed.Dockerfile --tag fiblake-feed .
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /build
COPY requirements/uv.txt requirements/runtime.txt requirements/
RUN pip install --no-cache-dir --require-hashes --requirement requirements/uv.txt \
    && uv venv /opt/fiblake \
    && uv pip install --python /opt/fiblake/bin/python --no-cache --compile-bytecode \
        --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY batch_layer batch_layer
COPY database database
COPY fiblake fiblake
COPY infra infra
COPY lake lake
COPY serving_layer serving_layer
COPY speed_layer speed_layer
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir dist . \
    && uv pip install --python /opt/fiblake/bin/python --no-cache --compile-bytecode --no-deps \
        dist/*.whl

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="fiblake feed" \
    org.opencontainers.image.description="Brings live events into Kinesis." \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/fiblake/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FIBLAKE_LOG_FORMAT=json \
    FIBLAKE_LOG_LEVEL=info \
    FIBLAKE_HEALTH_HOST=0.0.0.0 \
    FIBLAKE_HEALTH_PORT=9100 \
    FIBLAKE_STATE=/var/lib/fiblake \
    FIBLAKE_CACHE=/var/cache/fiblake
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fiblake \
    && install --directory --owner=fiblake /var/lib/fiblake /var/cache/fiblake /lake
COPY --from=build /opt/fiblake /opt/fiblake
WORKDIR /var/lib/fiblake
# Where a root that is read alone has something mounted: its owner is who owns it here.
VOLUME ["/tmp", "/var/cache/fiblake", "/var/lib/fiblake"]
USER 10001
EXPOSE 9100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "lake.health_check", "http://127.0.0.1:9100/health/live"]
CMD ["fiblake", "feed", "massive"]
