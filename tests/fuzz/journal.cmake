sluice_fuzz(journal SOURCE journal_fuzz.cpp DEPS sluice_journal sluice_store)
