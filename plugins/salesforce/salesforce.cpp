// Salesforce: objects as streams. README.md says how.
#include "source.hpp"

SLUICE_PLUGIN(R"({
"plugin": "salesforce", "version": "0.1.0",
"connectors": [{
  "id": "salesforce.source", "kind": "source", "title": "Salesforce",
  "base_url": ["{config.url}", "https://{config.instance}.my.salesforce.com"],
  "auth": [
    {"type": "oauth2", "grant": "jwt_bearer", "token_url": "/services/oauth2/token", "client_id": "{config.client_id}",
     "private_key": "{secret.private_key}", "subject": "{config.username}", "audience": "{config.audience}"},
    {"type": "oauth2", "grant": "refresh_token", "token_url": "/services/oauth2/token", "client_auth": "body",
     "client_id": "{config.client_id}", "client_secret": "{secret.client_secret}", "refresh_token": "{secret.refresh_token}"},
    {"type": "oauth2", "grant": "client_credentials", "token_url": "/services/oauth2/token", "client_auth": "body",
     "client_id": "{config.client_id}", "client_secret": "{secret.client_secret}"}],
  "rate": [{"bucket": "api", "per_second": 10}], "poll": {"every_s": 300}, "timeout_s": 60,
  "config": {"type": "object", "additionalProperties": false, "required": ["client_id"], "properties": {
    "instance": {"type": "string", "pattern": "^[A-Za-z0-9.-]+$",
      "description": "the first part of https://INSTANCE.my.salesforce.com: acme, or acme--uat.sandbox"},
    "url": {"type": "string", "format": "uri", "pattern": "^https?://",
      "description": "in place of instance: where the org is, with its scheme"},
    "client_id": {"type": "string", "description": "the consumer key of the connected app"},
    "client_secret": {"type": "string", "x-secret": true, "description": "its consumer secret"},
    "private_key": {"type": "string", "x-secret": true,
      "description": "in place of client_secret: the RSA key, in PEM, that signs for username: the JWT bearer flow"},
    "username": {"type": "string", "description": "with private_key: the user of the integration"},
    "audience": {"type": "string", "default": "https://login.salesforce.com",
      "description": "with private_key; of a sandbox: https://test.salesforce.com"},
    "refresh_token": {"type": "string", "x-secret": true, "description": "with client_secret: of the web server flow"},
    "api_version": {"type": "string", "pattern": "^[0-9]+[.]0$", "default": "61.0"},
    "bulk": {"type": "string", "enum": ["auto", "never", "always"], "default": "auto",
      "description": "whether the Bulk API reads: auto, where more than bulk_rows are due"},
    "bulk_rows": {"type": "integer", "minimum": 2000, "default": 50000}}},
  "sample": {"with": {"instance": "kit", "client_id": "id", "client_secret": "secret"}}
}]})",
              sluice::salesforce::Source)
