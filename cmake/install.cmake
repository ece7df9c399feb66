# What `cmake --install` lays out under a prefix: the hub, its connectors, the SDK, the pages. The hub finds its connectors in
# ../lib/sluice/plugins, so lib is never lib64 or lib/ARCH here.
include(CMakePackageConfigHelpers)

set(SLUICE_INCLUDE include)
set(SLUICE_PLUGINS lib/sluice/plugins)
set(SLUICE_PACKAGE lib/cmake/Sluice)
set(SLUICE_PAGES share/doc/sluice)

foreach(part MAJOR MINOR)
  file(STRINGS ${PROJECT_SOURCE_DIR}/sdk/include/sluice/plugin.h line REGEX "^#define SLUICE_ABI_${part} ")
  string(REGEX MATCH "[0-9]+" SLUICE_ABI_${part} "${line}")
endforeach()

install(TARGETS sluice sluice_connector RUNTIME DESTINATION bin)
install(DIRECTORY sdk/include/sluice DESTINATION ${SLUICE_INCLUDE})
install(TARGETS sluice_sdk EXPORT SluiceTargets)
install(EXPORT SluiceTargets NAMESPACE Sluice:: DESTINATION ${SLUICE_PACKAGE})
configure_package_config_file(sdk/cmake/SluiceConfig.cmake.in ${CMAKE_BINARY_DIR}/package/SluiceConfig.cmake
  INSTALL_DESTINATION ${SLUICE_PACKAGE} PATH_VARS SLUICE_INCLUDE SLUICE_PLUGINS)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/SluiceConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/package/SluiceConfig.cmake ${CMAKE_BINARY_DIR}/package/SluiceConfigVersion.cmake
  sdk/cmake/SluicePlugin.cmake sdk/cmake/plugin.version DESTINATION ${SLUICE_PACKAGE})
configure_file(sdk/cmake/sluice.pc.in ${CMAKE_BINARY_DIR}/package/sluice.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/package/sluice.pc DESTINATION lib/pkgconfig)
install(FILES LICENSE NOTICE README.md CHANGELOG.md connectors.yaml connectors.schema.json DESTINATION ${SLUICE_PAGES})
install(DIRECTORY docs DESTINATION ${SLUICE_PAGES})
