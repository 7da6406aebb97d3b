# Compile options and the helpers with which all targets of Herald are made.

# Every target: include roots and sanitizers.
add_library(herald_common INTERFACE)
target_include_directories(herald_common INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/client/include
                                                   ${CMAKE_SOURCE_DIR}/gen)
target_compile_definitions(herald_common INTERFACE _GNU_SOURCE HERALD_VERSION="${PROJECT_VERSION}"
                                                    HERALD_FAILPOINTS=$<BOOL:${HERALD_FAILPOINTS}>)
target_compile_options(herald_common INTERFACE -fno-omit-frame-pointer)
if(HERALD_SANITIZE)
  target_compile_options(herald_common INTERFACE -fsanitize=${HERALD_SANITIZE} -fno-sanitize-recover=all -g -O1)
  target_link_options(herald_common INTERFACE -fsanitize=${HERALD_SANITIZE})
endif()

if(HERALD_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "HERALD_FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
  endif()
  target_compile_options(herald_common INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Hand-written code: warnings too.
add_library(herald_warnings INTERFACE)
target_compile_options(herald_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
                                                 -Wmissing-prototypes -Wvla $<$<BOOL:${HERALD_WERROR}>:-Werror>)

# herald_library(NAME SOURCES … LINK …): a static library of hand-written code.
function(herald_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC herald_common ${ARG_LINK} PRIVATE herald_warnings)
endfunction()

# A server's tables of messages and methods have thousands of addresses, and the loader reads a relocation for each of them.
# Packed relocations take a sixtieth of the room. glibc knows them from 2.36 on; mold 1.10 makes them so that glibc refuses
# the program.
include(CheckCSourceRuns)
if(NOT CMAKE_CROSSCOMPILING)
  set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,-z,pack-relative-relocs)
  check_c_source_runs("int number; int *table[] = {&number}; int main(void) { return *table[0]; }" HERALD_PACKED_RELOCATIONS)
  unset(CMAKE_REQUIRED_LINK_OPTIONS)
endif()

# herald_program(NAME SOURCES … LINK …): an executable of hand-written code, in bin/.
function(herald_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE herald_common herald_warnings ${ARG_LINK})
  if(HERALD_PACKED_RELOCATIONS)
    target_link_options(${name} PRIVATE -Wl,-z,pack-relative-relocs)
  endif()
endfunction()

# herald_test(NAME unit.runtime.task SOURCES … LINK … [LABELS …] [TIMEOUT s] [ENVIRONMENT …]): a cmocka program and its
# CTest. The label is the first part of the name: unit, integration, fault, gen.
function(herald_test)
  cmake_parse_arguments(ARG "" "NAME;TIMEOUT" "SOURCES;LINK;LABELS;ENVIRONMENT" ${ARGN})
  string(REPLACE "." "_" target "test_${ARG_NAME}")
  string(REGEX REPLACE "\\..*" "" label ${ARG_NAME})
  add_executable(${target} ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE herald_common herald_warnings ${ARG_LINK} cmocka)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${ARG_NAME} COMMAND ${target})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${label};${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
                                              ENVIRONMENT "${ARG_ENVIRONMENT}")
endfunction()

# herald_test_native(NAME…): the tests of that name once more, with servers that have the native engine.
function(herald_test_native)
  foreach(name ${ARGN})
    string(REPLACE "." "_" target "test_${name}")
    string(REGEX REPLACE "^unit\\.([a-z]+)\\." "unit.\\1.native_" again ${name})
    add_test(NAME ${again} COMMAND ${target})
    get_test_property(${name} TIMEOUT timeout)
    get_test_property(${name} ENVIRONMENT environment)
    if(NOT environment)
      set(environment "")
    endif()
    set_tests_properties(${again} PROPERTIES LABELS unit TIMEOUT ${timeout} ENVIRONMENT "HERALD_RPC_ENGINE=native;${environment}")
  endforeach()
endfunction()
