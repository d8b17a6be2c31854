# syntax=docker/dockerfile:1.7-labs@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd   
# check=skip=all

# syntax=not/this:1
FROM --platform=linux/arm64    golang:1.22-alpine@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd	AS  Builder
   # indented comment
from	nginx@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FrOm registry.example:5000/a/b:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd as pinned
FROM pinned AS again
FROM builder
FROM scratch
COPY --from=builder /a /b
COPY --from=0 /a /b
COPY --chown=1:1 --from=busybox:1.36@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd --chmod=755 a b
copy --from="quoted/image:2@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" a b
COPY a --from=not/a-flag:1 b
ADD --from=not/copied:1 a b
RUN --mount=type=cache,target=/c --mount=type=bind,from=alpine:3.20@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd,source=/,target=/m true
RUN --mount=type=bind,from=Builder,target=/m --mount=from=scratch,target=/s \
    # a comment in between
    --mount=target=/d,type=bind,from=debian:12@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd   echo FROM not:this \

    && echo more
RUN --mount='type=bind,"from=quoted/csv:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",target=/m' true
ONBUILD COPY --from=redis:7@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd a b
ONBUILD RUN --mount=from=python:3.12@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd,target=/p true
LABEL a="FROM not:this"
CMD ["FROM", "not:this"]
FROM \
# comment where the name should be
  \
  ubuntu:24.04@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM late@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS last
COPY --from=last /x /y
