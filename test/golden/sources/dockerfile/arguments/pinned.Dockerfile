ARG TAG=1.25
ARG BASE=docker.io/library/node:22 QUOTED="debian:12-slim@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" EMPTY=
ARG NESTED=${BASE}-alpine
ARG TWICE=1
ARG ALSO_BUILT=3.12
ARG NOTHING
ARG REGISTRY=registry.example
ARG PLATFORM=linux/s390x
ARG CHAIN=fedora:${CHAIN_TAG:-41@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd}
ARG NAME=app
ARG NAME=tool:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM nginx:${TAG}
FROM $QUOTED AS quoted
FROM "${QUOTED}"
FROM ${NESTED}
FROM one:${TWICE} AS one
FROM two:$TWICE
FROM python:${ALSO_BUILT}
ARG ALSO_BUILT
RUN echo ${ALSO_BUILT}
FROM ${NOTHING:-alpine:3.20@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd}
FROM $NOTHING
FROM ${REGISTRY}/team/app:1
FROM ${REGISTRY:+other.example/}thing:1
FROM --platform=$PLATFORM amd:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM --platform=$BUILDPLATFORM built:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM --platform=${UNKNOWN} unknown:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
FROM ${CHAIN}
FROM $NAME
FROM ${UNSET-fallback:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd}
FROM ${EMPTY:-empty:1}
FROM base@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS build-amd64
FROM base@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd AS build-arm64
FROM build-${TARGETARCH}
FROM other-${TARGETARCH}
FROM image:${TAG#1.}
FROM image:${TAG
FROM $TAG:$TAG
FROM ${NEVER:?must be set}
