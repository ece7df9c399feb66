// SLUICE_CHECK(condition): ends the process when our own code is wrong. On in every build, since a wrong
// program must not go on writing customers' data. Input, files, networks and plugins are never checked with
// it: they give a Result.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SLUICE_CHECK(condition)                                                                \
  do {                                                                                         \
    if (!(condition)) [[unlikely]] {                                                           \
      (void)std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
