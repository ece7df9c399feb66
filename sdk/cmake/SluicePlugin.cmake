# sluice_add_plugin(NAME SOURCES files [LIBRARIES targets])
# Builds the connector NAME.so in the current binary folder, as target plugin_NAME: it sees the SDK's headers and what
# LIBRARIES names, exports the one symbol sluice_plugin_v1, and leaves nothing undefined to be found, or not, at run time.
# SLUICE_SANITIZE (such as address): the sanitizer's own symbols come from the program that loads it.
set(SLUICE_PLUGIN_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(sluice_add_plugin name)
  cmake_parse_arguments(P "" "" "SOURCES;LIBRARIES" ${ARGN})
  if(NOT P_SOURCES OR P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_add_plugin(${name}): write sluice_add_plugin(NAME SOURCES files [LIBRARIES targets])")
  endif()
  set(target plugin_${name})
  set(script ${SLUICE_PLUGIN_CMAKE_DIR}/plugin.version)
  add_library(${target} MODULE ${P_SOURCES})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" OUTPUT_NAME ${name} LINK_DEPENDS ${script}
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  # A unique symbol would keep the library in the process for good, and share its state with others.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  target_link_libraries(${target} PRIVATE Sluice::sdk ${P_LIBRARIES})
  # Hidden visibility alone would leave templates of the standard library exported.
  target_link_options(${target} PRIVATE -Wl,--version-script=${script})
  if(NOT SLUICE_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
