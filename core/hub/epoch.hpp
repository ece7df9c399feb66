// An epoch: the configuration and the versions under which the step runs, as they stand in the journal.
// Whatever is read from an epoch's payload gives the same Compiled again, on any machine with the same
// binary.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/result.hpp"

#include "config/config.hpp"
#include "plugin/registry.hpp"
#include "view/compiled.hpp"

namespace sluice::hub {

// The connectors that a configuration may name, as the loader wants them.
std::vector<config::ConnectorInfo> connectors_of(const plugin::Registry& registry);

// The payload of an `epoch` input: JSON of step version, files of the configuration (never a secret: the
// files hold references), manifests of the connectors that they use, versions of what the step reads.
std::string epoch_payload(const config::Config& config, const std::vector<config::ConnectorInfo>& connectors);

// Whether the step would do the same under both: the same configuration in other words is no new epoch.
// `holds` is the payload of the epoch that holds, `before` its configuration.
bool same_epoch(std::string_view holds, const config::Config& before, std::string_view payload,
                const config::Config& after);

// corrupt: not a payload of ours, or a configuration that this binary no longer takes.
Result<std::shared_ptr<const view::Compiled>> compile_epoch(std::string_view payload);

// The same for a shadow, which reads the history again: who people are by the rules that held then, what is
// counted of them and which audiences they are in by those of `definitions`, an epoch's payload. It sends
// nothing and starts no workflow.
// Who is one person by the rules of `definitions`, and nothing else: no traits, audiences and routes.
Result<std::shared_ptr<const view::Compiled>> compile_rules(std::string_view payload,
                                                            std::string_view definitions);
Result<std::shared_ptr<const view::Compiled>> compile_shadow(std::string_view payload,
                                                             std::string_view definitions);

// The channel of each destination's connector, by its manifest.
std::vector<std::string> channels_of(const config::Config& config,
                                     const std::vector<config::ConnectorInfo>& connectors);

}  // namespace sluice::hub
