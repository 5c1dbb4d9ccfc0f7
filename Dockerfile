# docker build -t lb . && docker run -v "$PWD/lb.yaml:/etc/lb/lb.yaml:ro" -p 80:80 lb
# The image has what the Debian package has, and runs as a user without rights.
FROM debian:12 AS build
WORKDIR /src
COPY scripts/lib.sh scripts/packages.txt scripts/
RUN ["bash", "-c", ". scripts/lib.sh && install_packages build && rm -rf /var/lib/apt/lists/*"]
COPY . .
RUN scripts/package

FROM debian:12-slim
# A number that volumes and orchestrators can rely on; the package takes the user as it is.
RUN groupadd --system --gid 900 lb && \
    useradd --system --uid 900 --gid lb --home-dir /var/lib/lb --shell /usr/sbin/nologin lb && \
    install -d -o lb -g lb /run/lb /var/lib/lb /var/log/lb
RUN --mount=type=bind,from=build,source=/src/build/packages,target=/packages \
    apt-get update && \
    apt-get install --yes --no-install-recommends /packages/*.deb && \
    rm -rf /var/lib/apt/lists/*
USER 900:900
# SIGTERM drains for runtime.drain_timeout (30s): docker stop --time 40.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/lb"]
CMD ["--config", "/etc/lb/lb.yaml"]
