# Runs the functions of AWS Lambda that fetch from vendors. Build it in the root folder:
#   docker build --file containers/fetch.Dockerfile --tag fiblake-fetch .
# The command names the handler: daily, backfill, minutes or reference.
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
LABEL org.opencontainers.image.title="fiblake fetch" \
    org.opencontainers.image.description="Runs the functions of AWS Lambda that fetch from vendors." \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/fiblake/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FIBLAKE_LOG_FORMAT=json \
    FIBLAKE_LOG_LEVEL=info \
    FIBLAKE_STATE=/tmp/fiblake \
    FIBLAKE_CACHE=off
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fiblake \
    && install --directory /var/task
COPY --from=build /opt/fiblake /opt/fiblake
WORKDIR /var/task
USER 10001
STOPSIGNAL SIGTERM
# Lambda asks no container how it is.
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "awslambdaric"]
CMD ["batch_layer.handlers.daily"]
