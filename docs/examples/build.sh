#!/usr/bin/env bash
# build.sh LANGUAGE FOLDER: builds the client in cc, go or java in FOLDER, as FOLDER/client, with Debian's
# packages. PROTO names the folder of the protocols: by default that of the checkout, where installed
# share/escan/proto.
set -euo pipefail
language=$1
mkdir -p "$2"
folder=$(realpath "$2")
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
proto=${PROTO:-$(realpath "$here/../../proto")}
files=("$proto"/inference/*.proto)

# libgrpc++-dev protobuf-compiler-grpc
build_cc() {
  protoc --proto_path="$proto" --cpp_out="$folder" --grpc_out="$folder" \
    --plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" "${files[@]}"
  # shellcheck disable=SC2046
  g++ -std=c++17 -I"$folder" "$here/client.cc" "$folder"/inference/*.cc -o "$folder/client" \
    $(pkg-config --cflags --libs grpc++ protobuf)
}

# golang-go golang-google-grpc-dev golang-google-protobuf-dev protoc-gen-go-1-5 protoc-gen-go-grpc
build_go() {
  local source=$folder/src names=()
  mkdir -p "$source/escan/client"
  for file in "${files[@]}"; do names+=("--go_opt=M${file#"$proto"/}=escan/inference" \
    "--go-grpc_opt=M${file#"$proto"/}=escan/inference"); done
  protoc --proto_path="$proto" --go_out="$source" --go-grpc_out="$source" "${names[@]}" "${files[@]}"
  cp "$here/client.go" "$source/escan/client/"
  GO111MODULE=off GOPATH="$folder:/usr/share/gocode" GOCACHE="$folder/cache" \
    go build -o "$folder/client" escan/client
}

# default-jdk-headless libgrpc-java protobuf-compiler-grpc-java-plugin, and what Debian's libgrpc-java needs
# without saying so: libgeronimo-annotation-1.3-spec-java libguava-java libnetty-java libperfmark-java
build_java() {
  local jars
  jars=$(printf '/usr/share/java/%s.jar:' grpc-{api,context,core,netty,protobuf,protobuf-lite,stub} \
    geronimo-annotation-1.3-spec guava netty-{buffer,codec,codec-http,codec-http2,codec-socks} \
    netty-{common,handler,handler-proxy,resolver,transport} perfmark-api protobuf)
  protoc --proto_path="$proto" --java_out="$folder" --grpc_out="$folder" \
    --plugin=protoc-gen-grpc="$(command -v grpc_java_plugin)" "${files[@]}"
  javac -nowarn -d "$folder/classes" -cp "$jars" "$here/Client.java" "$folder"/inference/*.java
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nexec java -cp "%s:%s" Client "$@"\n' "$folder/classes" "$jars" >"$folder/client"
  chmod +x "$folder/client"
}

"build_$language"
