# A Kinesis server to try fiblake with; it forgets all when it ends. Build it in the root folder:
#   docker build --file containers/kinesis.Dockerfile --tag fiblake-kinesis .
FROM node:22.20-bookworm-slim AS build
WORKDIR /build
COPY tests/kinesis_local/package.json tests/kinesis_local/package-lock.json ./
RUN npm ci --no-audit --no-fund

FROM node:22.20-bookworm-slim
LABEL org.opencontainers.image.title="fiblake kinesis" \
    org.opencontainers.image.description="A Kinesis server to try fiblake with."
ENV NODE_ENV=production \
    AWS_REGION=us-east-1 \
    AWS_ACCOUNT_ID=000000000000 \
    KINESIS_MOCK_PLAIN_PORT=4568 \
    KINESIS_MOCK_TLS_PORT=4567
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fiblake
COPY --from=build /build/node_modules /opt/node_modules
# It looks for its certificate where it runs.
WORKDIR /opt/node_modules/kinesis-local
USER 10001
EXPOSE 4567 4568
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["node", "--eval", "require('net').connect(4568, '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
CMD ["node", "main.js"]
