# libphonenumber, for E.164. Debian's -dev package wants Boost 1.74 and cannot stand beside 1.81, so ./dev unpacks its
# headers to build/phonenumber and we link the runtime library, which needs no Boost.
find_path(PHONENUMBER_INCLUDE phonenumbers/phonenumberutil.h
  HINTS ${CMAKE_SOURCE_DIR}/build/phonenumber/usr/include /opt/sluice/phonenumber/usr/include)
find_library(PHONENUMBER_LIBRARY NAMES libphonenumber.so.8)
find_package(Protobuf REQUIRED)
if(NOT PHONENUMBER_INCLUDE OR NOT PHONENUMBER_LIBRARY)
  message(FATAL_ERROR "libphonenumber is missing: run ./dev setup, which installs it and unpacks its headers")
endif()
add_library(phonenumber INTERFACE)
target_include_directories(phonenumber SYSTEM INTERFACE ${PHONENUMBER_INCLUDE} ${Protobuf_INCLUDE_DIRS})
target_link_libraries(phonenumber INTERFACE ${PHONENUMBER_LIBRARY} ${Protobuf_LIBRARIES})
