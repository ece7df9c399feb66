sluice_fuzz(plugin_frames SOURCE ${CMAKE_CURRENT_LIST_DIR}/plugin_frames_fuzz.cpp DEPS sluice_plugin)
