sluice_fuzz(config SOURCE config_fuzz.cpp DEPS sluice_config)
