#!/bin/sh
# Installs everything into an empty prefix: the programs run, and stubs of a schema of one's own are made with the
# installed generator and schemas, compiled, and linked with the installed libraries.
# usage: test_full_install.sh BUILD_DIRECTORY SOURCE_DIRECTORY COMPILER [SANITIZERS]
set -eu
build=$1 source=$2 compiler=$3 sanitize=${4:-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
prefix=$work/prefix

fail() {
    echo "test_full_install.sh: $*" >&2
    exit 1
}

cmake --install "$build" --prefix "$prefix" >"$work/install.log" || fail "cmake --install failed"

# Nothing of the build or the checkout is needed.
cd "$work"
for server in event job distribution content; do
    "$prefix/bin/herald-$server" --help >/dev/null || fail "herald-$server does not run"
done
"$prefix/bin/heraldctl" --help >/dev/null || fail "heraldctl does not run"
for example in herald.ini.example callers.ini.example; do
    [ -s "$prefix/share/doc/herald/$example" ] || fail "$example is not installed"
done

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name herald.pc)")
export PKG_CONFIG_PATH
schemas=$(pkg-config --variable=protodir herald)
(cd "$source/proto" && find . -name '*.proto') | while read -r schema; do
    cmp "$source/proto/$schema" "$schemas/$schema" || fail "$schema is not installed"
done

# google.protobuf.Timestamp is in the schema, so its code is made too.
cp -R "$source/tests/unit/client/own_schema/." "$work"
mkdir generated
protoc-c -I "$schemas" -I . --c_out=generated shop/v1/shop.proto google/protobuf/timestamp.proto
protoc -I "$schemas" -I . --plugin=protoc-gen-herald="$prefix/bin/protoc-gen-herald" --herald_out=generated \
    shop/v1/shop.proto google/protobuf/timestamp.proto

# The shared libraries, and the static ones beside the shared libraries that they need.
cat >expected <<EOF
UNAVAILABLE NOT_SENT
{"state":"OPEN","since":"2023-11-14T22:13:20Z"}
shopId REQUIRED
CLOSED UNRECOGNIZED
EOF
archives="$(find "$prefix" -name libherald-json.a) $(find "$prefix" -name libherald.a)"
for kind in shared static; do
    libraries=$(pkg-config --libs herald-json)
    [ $kind = shared ] || libraries="$archives $(pkg-config --static --libs herald-json | sed -E 's/ *-lherald(-json)?( |$)/ /g')"
    # shellcheck disable=SC2046,SC2086
    "$compiler" -Wall -Werror ${sanitize:+-fsanitize=$sanitize} main.c generated/shop/v1/shop.pb-c.c generated/shop/v1/shop.schema.c \
        generated/shop/v1/shop.client.c generated/google/protobuf/timestamp.pb-c.c \
        generated/google/protobuf/timestamp.schema.c -Igenerated $(pkg-config --cflags herald-json) -o "$kind" $libraries ||
        fail "stubs of one's own do not compile with the $kind libraries"
    "./$kind" >said || fail "stubs of one's own fail with the $kind libraries"
    diff -u expected said || fail "stubs of one's own do something else with the $kind libraries"
done
if ldd ./static | grep -q libherald; then
    fail "the program on the static libraries needs the shared ones"
fi
echo "ok"
