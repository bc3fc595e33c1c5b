# One image for control and for sidecars: two programs and the libraries they need, nothing else.
#
#   docker build --tag weft:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /weft
COPY . .
RUN cargo build --profile dist --package proxy --package control
# What the programs are linked with, and where.
RUN mkdir -p /image/usr/local/bin && cp target/dist/weft-proxy target/dist/weft-control /image/usr/local/bin/ \
 && ldd target/dist/weft-proxy target/dist/weft-control | grep -o '/[^ ]*\.so[^ ]*' | sort -u | xargs -I{} cp --parents --dereference {} /image/

FROM scratch
COPY --from=build /image/ /
USER 7717:7717
ENTRYPOINT ["/usr/local/bin/weft-proxy"]
