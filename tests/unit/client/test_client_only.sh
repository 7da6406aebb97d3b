#!/bin/sh
# Configures, builds and installs the client library alone, where nothing is to be found but what it needs, and builds
# README's program against it.
# usage: test_client_only.sh SOURCE_DIRECTORY COMPILER SANITIZERS NNG_CMAKE_DIRECTORY
set -eu
source=$1 compiler=$2 sanitize=$3 nng=$4

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
prefix=$work/prefix

fail() {
    echo "test_client_only.sh: $*" >&2
    exit 1
}

# pkg-config finds these two alone; nng has a CMake package.
mkdir "$work/packages"
for package in libprotobuf-c libcrypto; do
    cp "$(pkg-config --variable=pcfiledir "$package")/$package.pc" "$work/packages"
done
# The headers of all others are there, and may not be used.
for header in uv.h libpq-fe.h hiredis/hiredis.h librdkafka/rdkafka.h curl/curl.h jansson.h ini.h uthash.h utlist.h \
    microhttpd.h cairo.h cairo/cairo.h pango/pangocairo.h jpeglib.h openssl/ssl.h; do
    mkdir -p "$work/forbidden/$(dirname "$header")"
    echo "#error the client library needs $header" >"$work/forbidden/$header"
done

{
    PKG_CONFIG_LIBDIR=$work/packages PKG_CONFIG_PATH='' cmake -S "$source" -B "$work/build" -DHERALD_CLIENT_ONLY=ON \
        -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="-I$work/forbidden" \
        -DHERALD_SANITIZE="$sanitize" -Dnng_DIR="$nng" &&
        cmake --build "$work/build" --parallel 2 && cmake --install "$work/build" --prefix "$prefix"
} >"$work/build.log" 2>&1 || {
    tail -n 40 "$work/build.log" >&2
    fail "the client library cannot be built alone"
}
[ ! -e "$prefix/bin" ] || fail "programs are installed: $(ls "$prefix/bin")"
# A static nng brings mbed TLS along.
needed=$(objdump -p "$(find "$prefix" -name libherald.so)" | awk '$1 == "NEEDED" { print $2 }')
others=$(echo "$needed" | grep -vE '^(ld-linux.*|lib(c|m|pthread|nng|protobuf-c|crypto|mbed[a-z0-9]*|asan|ubsan|tsan))\.so' || true)
[ -z "$others" ] || fail "libherald needs more than nng, protobuf-c and libcrypto: $others"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name herald.pc)")
export PKG_CONFIG_PATH
cd "$work"
"$source/tests/support/readme-block" "$source" c publish_event >publish.c
# shellcheck disable=SC2046
"$compiler" -Wall -Wextra -Werror ${sanitize:+-fsanitize=$sanitize} publish.c -o publish $(pkg-config --cflags --libs herald)
./publish ipc:///nonexistent/herald.sock draft user 2>&1 | grep -q '^UNAVAILABLE (NOT_CONNECTED): .*; outcome NOT_SENT$' ||
    fail "README's program fails"
echo "ok"
