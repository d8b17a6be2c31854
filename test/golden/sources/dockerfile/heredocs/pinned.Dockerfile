FROM alpine:3.20@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
RUN <<EOF
FROM not:one
EOF
RUN <<-EOT cat && <<'B' cat
	FROM not:two
	EOT
FROM not:three
	B
B
COPY <<a <<"b c" /files/
FROM not:four
a
FROM not:five
b c
RUN python3 <<PY > out && echo done
FROM not:six
PY
RUN echo "<<QUOTED" '<<SINGLE' \<<ESCAPED x<<INSIDE <<<HERESTRING
FROM after:1@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
RUN ["sh", "-c", "cat <<JSON"]
FROM after:2@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
RUN echo don't <<UNCLOSED
FROM after:3@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
ONBUILD RUN <<ON
FROM not:seven
ON
CMD <<NOTHERE
FROM after:4@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
RUN <<A \
  && true
FROM not:eight
A
RUN echo ${x^^} <<NOTTAKEN
FROM after:5@sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
