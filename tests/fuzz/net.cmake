sluice_fuzz(tracking_body SOURCE ${CMAKE_CURRENT_LIST_DIR}/tracking_body_fuzz.cpp DEPS sluice_ingest)
