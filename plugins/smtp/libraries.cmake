set(libraries CURL::libcurl)
