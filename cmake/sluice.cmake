# The build functions of this project: sluice_room, sluice_plugins, sluice_test, sluice_fuzz.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 99)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  # ccache takes what includes a precompiled header only so; its checksum file stands for a hundred megabytes.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_DEPEND=1 CCACHE_PCH_EXTSUM=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

set(SLUICE_WERROR ON CACHE BOOL "warnings are errors")
set(SLUICE_SANITIZE "" CACHE STRING "address,undefined or thread")
set(SLUICE_FUZZ OFF CACHE BOOL "build the fuzz targets (clang)")
set(SLUICE_PCH ON CACHE BOOL "parse the standard library and Catch2 once, not in each file")

# What every file of ours is compiled with. -ffp-contract=off: the same journal gives the same numbers everywhere.
# gcc 12 at -O2 takes a text that SLUICE_TRY returns for uninitialized; the sanitizers look for the real ones.
add_library(sluice_options INTERFACE)
target_compile_options(sluice_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  $<$<COMPILE_LANGUAGE:CXX>:-Wold-style-cast;-Woverloaded-virtual;-Wnon-virtual-dtor>
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond;-Wlogical-op;-Wno-maybe-uninitialized;-Wno-restrict> -ffp-contract=off)
if(SLUICE_PCH)  # then gcc 12 says of templates of the standard library what it else keeps to itself, and what is not so
  target_compile_options(sluice_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-array-bounds;-Wno-stringop-overflow;-Wno-stringop-overread>)
endif()
if(SLUICE_WERROR)
  target_compile_options(sluice_options INTERFACE -Werror)
endif()
if(SLUICE_SANITIZE)
  add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SLUICE_SANITIZE})
  if(SLUICE_SANITIZE STREQUAL "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)  # Asio's fences, which the sanitizer does not see
  endif()
endif()
if(SLUICE_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# The headers of the standard library that most files reach, parsed once: a clean build takes a third less. It is no excuse to
# leave out an #include: ./dev lint, the fuzzers and the compilers of tests/abi read each file without.
set(precompiled <algorithm> <array> <charconv> <chrono> <condition_variable> <cmath> <cstdint> <cstdio> <cstring> <deque>
  <functional> <map> <memory> <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread> <unordered_map> <utility>
  <variant> <vector>)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cpp CONTENT "// Has only the precompiled header.\n")
add_compile_options(-pthread)  # a precompiled header fits only what is compiled with the same flags

# sluice_precompiled(KIND [headers] [OPTIONS options]): what sluice_precompile(TARGET KIND) then uses.
function(sluice_precompiled kind)
  cmake_parse_arguments(P "" "" "OPTIONS" ${ARGN})
  add_library(precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cpp)
  target_link_libraries(precompiled_${kind} PRIVATE sluice_options)
  target_compile_options(precompiled_${kind} PRIVATE ${P_OPTIONS})
  target_precompile_headers(precompiled_${kind} PRIVATE ${precompiled} ${P_UNPARSED_ARGUMENTS})
  # For ccache: the same wherever the same headers are compiled, as the precompiled header itself is not.
  file(SHA256 ${CATCH2_HEADER} sum)
  string(SHA256 sum "${sum} ${CMAKE_CXX_COMPILER_VERSION} ${precompiled} ${P_UNPARSED_ARGUMENTS}")
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/CMakeFiles/precompiled_${kind}.dir/cmake_pch.hxx.gch.sum CONTENT "${sum}\n")
endfunction()

function(sluice_precompile target kind)
  if(SLUICE_PCH)
    target_precompile_headers(${target} REUSE_FROM precompiled_${kind})
  endif()
endfunction()

# Tests are built as fast as can be; what they test is optimised.
set(SLUICE_TEST_OPTIONS -O0)
if(SLUICE_PCH)
  find_file(CATCH2_HEADER catch2/catch.hpp REQUIRED)
  sluice_precompiled(library)
  sluice_precompiled(program OPTIONS -fPIE)
  sluice_precompiled(test <filesystem> <fstream> <catch2/catch.hpp> OPTIONS -fPIE ${SLUICE_TEST_OPTIONS})
endif()

add_library(sluice_sdk INTERFACE)
add_library(Sluice::sdk ALIAS sluice_sdk)
set_target_properties(sluice_sdk PROPERTIES EXPORT_NAME sdk)
target_include_directories(sluice_sdk INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/sdk/include> $<INSTALL_INTERFACE:include>)
include(${CMAKE_SOURCE_DIR}/sdk/cmake/SluicePlugin.cmake)  # the function that others use too

# sluice_room(NAME [USES rooms] [EXTERNAL libraries])
# core/NAME/*.cpp becomes the static library sluice_NAME. A room may include only itself, the SDK and the rooms under
# USES, and those must have been declared before: an arrow the wrong way, or in a circle, stops the configure.
# core/NAME/*_test.cpp become the test NAME, run with Catch2.
function(sluice_room name)
  cmake_parse_arguments(R "" "" "USES;EXTERNAL" ${ARGN})
  foreach(used ${R_USES})
    if(NOT TARGET sluice_${used})
      message(FATAL_ERROR "room '${name}' may not use '${used}': it is not declared before it")
    endif()
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/${name}/*.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/${name}/*.hpp)
  sluice_check_includes(${name} "${R_USES}" "${sources};${headers}")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(TRANSFORM R_USES PREPEND sluice_)
  if(sources)
    add_library(sluice_${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(sluice_${name} PRIVATE sluice_options)
    sluice_precompile(sluice_${name} library)
  else()
    add_library(sluice_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(sluice_${name} ${scope} ${CMAKE_SOURCE_DIR}/core)
  target_link_libraries(sluice_${name} ${scope} sluice_sdk ${R_USES} ${R_EXTERNAL})
  if(tests AND NOT SLUICE_FUZZ)
    sluice_test(${name} SOURCES ${tests} DEPS sluice_${name})
  endif()
endfunction()

# Stops the configure when a file of room NAME includes a room that it may not use.
function(sluice_check_includes name uses files)
  foreach(file ${files})
    if(file MATCHES "_(test|fuzz)\\.cpp$")
      continue()
    endif()
    file(STRINGS ${file} lines REGEX "^#include \"[a-z_]+/")
    foreach(line ${lines})
      string(REGEX MATCH "\"([a-z_]+)/" _ "${line}")
      if(NOT CMAKE_MATCH_1 STREQUAL "sluice" AND NOT CMAKE_MATCH_1 STREQUAL name AND NOT CMAKE_MATCH_1 IN_LIST uses)
        message(FATAL_ERROR "${file} includes '${CMAKE_MATCH_1}', which room '${name}' may not use (it uses: ${uses})")
      endif()
    endforeach()
  endforeach()
endfunction()

# Seconds that a test may take: five times as long where a sanitizer watches.
set(patience 1)
if(SLUICE_SANITIZE)
  set(patience 5)
endif()
foreach(seconds 60 120 180)
  math(EXPR SLUICE_TIMEOUT_${seconds} "${seconds} * ${patience}")
endforeach()

# sluice_test(NAME SOURCES files DEPS targets [LABEL slow] [TIMEOUT seconds])
function(sluice_test name)
  cmake_parse_arguments(T "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  add_executable(test_${name} ${T_SOURCES})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE sluice_options ${T_DEPS} Catch2::Catch2WithMain)
  target_compile_options(test_${name} PRIVATE ${SLUICE_TEST_OPTIONS})
  sluice_precompile(test_${name} test)
  add_test(NAME ${name} COMMAND test_${name})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT ${SLUICE_TIMEOUT_120})
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT})
  if(T_LABEL)
    set_tests_properties(${name} PROPERTIES LABELS ${T_LABEL})
  endif()
endfunction()

# sluice_isolated_test(NAME): the test once more, as NAME_isolated, with each connector in a process of its own.
function(sluice_isolated_test name)
  get_test_property(${name} ENVIRONMENT environment)
  add_test(NAME ${name}_isolated COMMAND test_${name})
  set_tests_properties(${name}_isolated PROPERTIES TIMEOUT ${SLUICE_TIMEOUT_120}
    ENVIRONMENT "${environment};SLUICE_CONNECTOR=${CMAKE_BINARY_DIR}/sluice-connector")
  add_dependencies(test_${name} sluice_connector)
endfunction()

# sluice_fuzz(NAME SOURCE file DEPS targets): a libFuzzer target, built by the preset `fuzz` alone.
function(sluice_fuzz name)
  cmake_parse_arguments(F "" "SOURCE" "DEPS" ${ARGN})
  if(SLUICE_FUZZ)
    add_executable(fuzz_${name} ${F_SOURCE})
    target_link_libraries(fuzz_${name} PRIVATE sluice_options ${F_DEPS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()

# Builds each plugins/NAME/*.cpp|*.c as plugins/NAME.so; a new connector edits no file outside its folder. A plugin sees
# the SDK alone; what else it links it says in plugins/NAME/libraries.cmake (set(libraries ...)).
# plugins/NAME/*_test.cpp become the test plugin_NAME (SLUICE_PLUGINS names the folder of the built plugins, SLUICE_VENDORS
# that of the vendors' stand-ins).
function(sluice_plugins)
  add_custom_target(plugins)  # all of them
  file(GLOB folders CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/plugins/*)
  foreach(folder ${folders})
    get_filename_component(name ${folder} NAME)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp ${folder}/*.c)
    sluice_check_includes(${name} "" "${sources}")
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    set(libraries "")
    include(${folder}/libraries.cmake OPTIONAL)
    sluice_add_plugin(${name} SOURCES ${sources} LIBRARIES sluice_options ${libraries})
    set_target_properties(plugin_${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
    sluice_precompile(plugin_${name} library)
    install(TARGETS plugin_${name} LIBRARY DESTINATION lib/sluice/plugins)
    add_dependencies(plugins plugin_${name})
    if(tests AND NOT SLUICE_FUZZ)
      sluice_test(plugin_${name} SOURCES ${tests} DEPS sluice_plugin)
      add_dependencies(test_plugin_${name} plugin_${name})
      set_tests_properties(plugin_${name} PROPERTIES ENVIRONMENT
        "SLUICE_PLUGINS=${CMAKE_BINARY_DIR}/plugins;SLUICE_VENDORS=${CMAKE_SOURCE_DIR}/tests/vendors")
      sluice_isolated_test(plugin_${name})
    endif()
  endforeach()
endfunction()
