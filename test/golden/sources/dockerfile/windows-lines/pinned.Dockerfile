# syntax=docker/dockerfile:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
ARG A=1.0@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM nginx:$A AS x
RUN a \
  b

COPY --from=busybox@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd \
  /a /b
FROM x
FROM last:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd