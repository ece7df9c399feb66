# Time zones of the system's database.
find_package(date REQUIRED)
set(libraries date::date date::date-tz)
