# The service on CPUs, from the repository's root; docs/docker.md says what TORCH_INDEX is.

FROM debian:bookworm-slim AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/nvs
WORKDIR /source
COPY constraints.txt ./
ARG TORCH_INDEX
RUN /opt/nvs/bin/pip install --no-cache-dir --no-deps --constraint constraints.txt \
    --index-url "${TORCH_INDEX:?is not set: see docs/docker.md}" torch
COPY . .
RUN /opt/nvs/bin/pip install --no-cache-dir --constraint constraints.txt '.[server]'

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home nvs \
    && install --directory --owner nvs --mode 700 /data /weights
COPY --from=build /opt/nvs /opt/nvs
ENV PATH=/opt/nvs/bin:/usr/local/bin:/usr/bin:/bin \
    NVS_HOST=0.0.0.0 \
    NVS_DATA_FOLDER=/data \
    XDG_CACHE_HOME=/weights
USER nvs
WORKDIR /data
VOLUME ["/data", "/weights"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/livez')"
ENTRYPOINT ["nvs"]
CMD ["serve"]
