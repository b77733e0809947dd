# Makes events into bars, on Flink. Build it in the root folder:
#   docker build --file containers/engine.Dockerfile --tag fiblake-engine .
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

# PyFlink pins what the rest has newer, so it has an environment of its own.
FROM build AS flink
COPY speed_layer/flink/requirements.txt flink.txt
RUN uv venv /opt/flink \
    && uv pip install --python /opt/flink/bin/python --no-cache --compile-bytecode \
        --require-hashes --requirement flink.txt

# docs/flink.md tells how to build the Kinesis connector where the registry lacks it.
FROM maven:3.9.11-eclipse-temurin-17 AS jar
WORKDIR /build
COPY speed_layer/flink/pom.xml ./
COPY speed_layer/flink/src src
RUN mvn --batch-mode --quiet --activate-profiles kinesis package

FROM eclipse-temurin:17.0.16_8-jre AS java

FROM python:3.11.14-slim-bookworm
LABEL org.opencontainers.image.title="fiblake engine" \
    org.opencontainers.image.description="Makes events into bars, on Flink." \
    org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/fiblake/bin:/opt/java/openjdk/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    JAVA_HOME=/opt/java/openjdk \
    FIBLAKE_LOG_FORMAT=json \
    FIBLAKE_LOG_LEVEL=info \
    FIBLAKE_HEALTH_HOST=0.0.0.0 \
    FIBLAKE_HEALTH_PORT=9100 \
    FIBLAKE_STATE=/var/lib/fiblake \
    FIBLAKE_CACHE=/var/cache/fiblake
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fiblake \
    && install --directory --owner=fiblake /var/lib/fiblake /var/cache/fiblake /lake
COPY --from=build /opt/fiblake /opt/fiblake
COPY --from=java /opt/java/openjdk /opt/java/openjdk
COPY --from=flink /opt/flink /opt/flink
COPY --from=jar /build/target/fiblake-flink.jar /opt/fiblake/lib/python3.11/site-packages/speed_layer/flink/target/
# It is looked for beside the packages. What is prepared lets it start sooner.
RUN ln -s /opt/flink /opt/fiblake/lib/python3.11/site-packages/.venv-flink \
    && fiblake flink prepare \
    && rm -rf /tmp/*
WORKDIR /var/lib/fiblake
# Where a root that is read alone has something mounted: its owner is who owns it here.
VOLUME ["/tmp", "/var/cache/fiblake", "/var/lib/fiblake"]
USER 10001
EXPOSE 9100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "lake.health_check", "http://127.0.0.1:9100/health/live"]
CMD ["fiblake", "flink", "run"]
