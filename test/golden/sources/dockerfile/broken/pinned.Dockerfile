RUN before the first stage
FROM
FROM nginx:1.27 # not a comment
FROM nginx@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS 1st
FROM nginx AS two words
FROM Upper/Case:1
FROM nginx:1.27@sha256:short
FROM {{ .Base }}
FROM https://registry.example/app
ARG =value
FRM typo:1
COPY --from=$STAGE a b
RUN --mount=from=${IMAGE},target=/x true
FROM fine:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
COPY --from=nginx:${TAG} a b
INCLUDE something
RUN <<NEVER
FROM lost:1
