// AWS Signature Version 4 in the authorization header
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
#pragma once

#include "base/time.hpp"
#include "plugin/auth.hpp"
#include "plugin/http_request.hpp"

namespace sluice::plugin {

// Adds x-amz-date, x-amz-security-token (where there is one) and authorization; x-amz-content-sha256 for s3.
// Signs all headers there are, host among them, so nothing may be added afterwards: a body that is to be
// compressed is compressed here. The URL must be one that split_url() takes. [any]
void sign_aws_v4(const AwsKeys& keys, TimeUs now, HttpRequest& request);

}  // namespace sluice::plugin
