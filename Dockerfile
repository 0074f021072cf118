# The image is one static program: no shell, no libraries, no other file. scripts/image.sh builds and tests it.
#
#   docker build -t martinet .
#   docker run --rm -p 127.0.0.1:1025:1025 -p 127.0.0.1:8025:8025 martinet
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /martinet
COPY . .
RUN bash scripts/static.sh dist target/static && mkdir /empty

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="martinet" \
      org.opencontainers.image.description="The mail server that refuses your mail on purpose, says exactly why, and says what would fix it." \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /martinet/target/static/martinet /martinet
# Relative paths of scenarios and receivers start here: mount your files at /scenarios, and name them ./mine.toml.
COPY --from=build --chown=65532:65532 /empty/ /scenarios/
# For MARTINET_JOURNAL=/journal/martinet.db.
COPY --from=build --chown=65532:65532 /empty/ /journal/
VOLUME ["/scenarios", "/journal"]
WORKDIR /scenarios
USER 65532:65532
# Worlds that tests create take their ports from this range, so that it can be published.
ENV MARTINET_BIND=0.0.0.0 \
    MARTINET_WORLDS_PORTS=20000-20999 \
    MARTINET_HTTP_HOST=martinet
EXPOSE 1025/tcp 1053/tcp 1053/udp 8025/tcp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=3 CMD ["/martinet", "readyz"]
ENTRYPOINT ["/martinet"]
CMD ["serve"]
