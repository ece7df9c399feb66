# SHA-256 and HMAC; Unicode's normal form, letters in lower case, and what is a letter.
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
set(libraries OpenSSL::Crypto PkgConfig::utf8proc)
