#!/bin/sh
# Installs the client library into an empty prefix and builds programs against it in the ways that users do.
# usage: test_install.sh BUILD_DIRECTORY SOURCE_DIRECTORY COMPILER CXX_COMPILER [SANITIZERS]
set -eu
build=$1 source=$2 compiler=$3 cxx_compiler=$4 sanitize=${5:-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
prefix=$work/prefix

fail() {
    echo "test_install.sh: $*" >&2
    exit 1
}

cmake --install "$build" --prefix "$prefix" --component client >"$work/install.log" || fail "cmake --install failed"

headers=$(find "$prefix/include" -name '*.h')
[ -n "$headers" ] || fail "no headers installed"
for unwanted in server.h task.h service.h; do
    if find "$prefix/include" -name "*$unwanted" | grep -q .; then
        fail "$unwanted of the serving side is installed"
    fi
done

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name herald.pc)")
export PKG_CONFIG_PATH
flags=
if [ -n "$sanitize" ]; then
    flags="-fsanitize=$sanitize"
fi

# Every installed header compiles alone.
for header in $headers; do
    echo "#include \"$header\"" >"$work/alone.c"
    # shellcheck disable=SC2046
    "$compiler" -Wall -Werror -fsyntax-only $(pkg-config --cflags herald) "$work/alone.c" || fail "$header does not compile alone"
done

python3 -B "$source/tests/unit/client/exports.py" "$compiler" "$prefix" || fail "the libraries export other names than their headers declare"

# As README says, from another directory than the checkout.
cp "$source/tests/unit/client/install_main.c" "$source/tests/unit/client/install_json.c" "$source/tests/unit/client/install_main.cpp" "$work"
cd "$work"
# shellcheck disable=SC2046
"$compiler" -Wall -Werror $flags install_main.c -o shared $(pkg-config --cflags --libs herald)
./shared | grep -qx 'UNAVAILABLE NOT_CONNECTED NOT_SENT' || fail "the program on the shared library fails"
# shellcheck disable=SC2046
"$compiler" -Wall -Werror $flags install_json.c -o json $(pkg-config --cflags --libs herald-json)
./json >/dev/null || fail "the program on libherald-json fails"

# libherald.a beside the shared libraries that it needs.
# shellcheck disable=SC2046
"$compiler" $flags install_main.c -o static $(pkg-config --cflags herald) "$(find "$prefix" -name libherald.a)" \
    $(pkg-config --static --libs herald | sed 's/ *-lherald / /')
./static | grep -qx 'UNAVAILABLE NOT_CONNECTED NOT_SENT' || fail "the program on the static library fails"
if ldd ./static | grep -q libherald; then
    fail "the program on the static library needs the shared one"
fi

# C++, with every header.
for header in $headers; do
    echo "#include \"$header\""
done >all_headers.h
# shellcheck disable=SC2046
"$cxx_compiler" -std=c++17 -Wall -Wextra -Werror $flags -I. install_main.cpp -o cpp $(pkg-config --cflags --libs herald-json)
./cpp | grep -qx 'UNAVAILABLE NOT_CONNECTED NOT_SENT ACTIVE {"title":"opening"}' || fail "the C++ program fails"

# With CMake.
mkdir cmake
cat >cmake/CMakeLists.txt <<EOF
cmake_minimum_required(VERSION 3.18)
project(user C)
find_package(herald 0.1 REQUIRED)
add_executable(user ../install_main.c)
target_link_libraries(user herald::herald)
add_executable(user_json ../install_json.c)
target_link_libraries(user_json herald::json)
EOF
cmake -S cmake -B cmake/build -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="$flags" -DCMAKE_PREFIX_PATH="$prefix" \
    >cmake.log 2>&1 && cmake --build cmake/build >>cmake.log 2>&1 || {
    cat cmake.log >&2
    fail "the program with find_package(herald) does not build"
}
./cmake/build/user >/dev/null || fail "the program with find_package(herald) fails"
./cmake/build/user_json >/dev/null || fail "the program with herald::json fails"
echo "ok"
