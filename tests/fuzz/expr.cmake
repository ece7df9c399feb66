sluice_fuzz(condition SOURCE ${CMAKE_SOURCE_DIR}/core/expr/condition_fuzz.cpp DEPS sluice_expr)
