#include <algorithm>

#include "api/admin.hpp"
#include "base/json.hpp"
#include "state/state.hpp"

namespace sluice::api {

namespace {

// Prometheus' text format, version 0.0.4.
class Metrics {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    out_.append("# HELP ")
        .append(name)
        .append(" ")
        .append(help)
        .append("\n# TYPE ")
        .append(name)
        .append(" ")
        .append(type);
    out_ += '\n';
    name_ = name;
  }
  void value(std::uint64_t v) {
    out_.append(name_).append(" ").append(std::to_string(v));
    out_ += '\n';
  }
  void labelled(std::string_view label, std::string_view text, std::uint64_t v) {
    begin(label, text, {}, {});
    end(v);
  }
  void labelled(std::string_view a, std::string_view a_text, std::string_view b, std::string_view b_text,
                std::uint64_t v) {
    begin(a, a_text, b, b_text);
    end(v);
  }
  void labelled(std::string_view a, std::string_view a_text, std::string_view b, std::string_view b_text,
                std::string_view c, std::string_view c_text, std::uint64_t v) {
    begin(a, a_text, b, b_text);
    out_.resize(out_.size() - 2);  // "} "
    out_.append(",").append(c).append("=");
    quote(c_text);
    out_ += "} ";
    end(v);
  }
  void labelled(std::string_view a, std::string_view a_text, std::string_view b, std::string_view b_text,
                double v) {
    begin(a, a_text, b, b_text);
    append_json_number(out_, v);  // finite
    out_ += '\n';
  }
  void one(std::string_view name, std::string_view type, std::string_view help, std::uint64_t v) {
    family(name, type, help);
    value(v);
  }
  std::string take() { return std::move(out_); }

 private:
  void begin(std::string_view a, std::string_view a_text, std::string_view b, std::string_view b_text) {
    out_.append(name_).append("{").append(a).append("=");
    quote(a_text);
    if (!b.empty()) {
      out_.append(",").append(b).append("=");
      quote(b_text);
    }
    out_ += "} ";
  }
  void end(std::uint64_t v) {
    out_ += std::to_string(v);
    out_ += '\n';
  }
  // The format knows three escapes, and takes everything else as it is.
  void quote(std::string_view text) {
    out_ += '"';
    for (const char c : text) {
      if (c == '\\' || c == '"') out_ += '\\';
      if (c == '\n') {
        out_ += "\\n";
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  std::string out_;
  std::string_view name_;
};

void write_state(Metrics& m, hub::Hub& hub) {
  state::Totals totals;
  hub::StepCounters steps;
  std::uint64_t profiles = 0, accounts = 0, quarantined = 0, memory = 0, cold = 0;
  TimeUs now = 0;
  TimeUs reach = 0;
  std::vector<std::pair<std::string, std::uint64_t>> sizes;
  const auto config = hub.config();
  hub.read([&](const hub::World& world) {
    totals = world.state.totals;
    steps = world.pipeline.counters();
    profiles = world.state.profiles();
    accounts = world.state.accounts();
    quarantined = world.state.quarantine().size();
    memory = world.state.memory();
    cold = world.state.cold_bytes();
    now = world.state.now;
    reach = world.state.dedup_reach(now);
    for (const config::Audience& audience : config->audiences) {
      sizes.emplace_back(audience.name, world.state.members(state::name_id(audience.name)));
    }
  });
  m.one("sluice_events_total", "counter", "Events stepped, duplicates included.", totals.events);
  m.one("sluice_duplicates_total", "counter", "Events without effect: their message id was known.",
        totals.duplicates);
  m.one("sluice_refused_total", "counter", "Inputs that are no event: no identifier, unmapped, malformed.",
        totals.refused);
  m.one("sluice_merges_total", "counter", "People that became one with another.", totals.merges);
  m.one("sluice_demoted_identifiers_total", "counter", "Identifiers left out of a match.", totals.demoted);
  m.one("sluice_quarantined_identifiers", "gauge", "Identifiers that join no more people.", quarantined);
  m.one("sluice_accounts", "gauge", "Accounts known.", accounts);
  m.one("sluice_effects_total", "counter", "Records made for destinations.", totals.effects);
  m.one("sluice_profiles", "gauge", "People known.", profiles);
  m.one("sluice_profiles_memory_bytes", "gauge",
        "What people, message ids and timers take of memory, index included.", memory);
  m.one("sluice_profiles_cold_bytes", "gauge", "What hub.memory has put on disk of them.", cold);
  m.one("sluice_hub_time_seconds", "gauge", "Hub time: the stamp of the last input.",
        static_cast<std::uint64_t>(now / us_per_s));
  m.one("sluice_dedup_reach_seconds", "gauge", "How far back all message ids are remembered.",
        static_cast<std::uint64_t>((now - reach) / us_per_s));
  m.one("sluice_out_of_order_events_total", "counter",
        "Events older than the newest of their person, since the start.", steps.out_of_order);
  m.one("sluice_too_late_events_total", "counter",
        "Events that came later than hub.lateness and counted nowhere, since the start.", steps.too_late);
  m.one("sluice_forgotten_windows_total", "counter",
        "Times that somebody's window or sequence was full and its oldest tenth went, since the start.",
        steps.full);
  m.one("sluice_timers_fired_total", "counter", "Timers fired since the start.", steps.timers);
  const hub::BackfillStatus past = hub.backfill();
  m.one("sluice_backfill_waiting", "gauge", "Traits, audiences and routes that wait for the history.",
        past.names.size());
  m.one("sluice_backfill_inputs_left", "gauge", "Inputs of the history that are still to be read for them.",
        past.of - std::min(past.of, past.read));
  m.one("sluice_backfill_people_total", "counter", "People who got their past since the start.",
        steps.grafted);
  m.one("sluice_workflow_runs_started_total", "counter", "Workflow runs started since the start.",
        steps.workflows.started);
  m.one("sluice_workflow_messages_total", "counter", "Messages made by workflows since the start.",
        steps.workflows.sent);
  m.one("sluice_suppressed_at_route_total", "counter",
        "Records not made for want of consent, since the start.",
        steps.routes.suppressed + steps.workflows.suppressed);
  m.family("sluice_audience_members", "gauge", "People in an audience.");
  for (const auto& [name, size] : sizes) m.labelled("audience", name, size);
}

void write_lanes(Metrics& m, hub::Hub& hub) {
  const auto lanes = hub.delivery().status();
  m.family("sluice_lane_backlog", "gauge", "Records without an outcome.");
  for (const auto& lane : lanes) m.labelled("destination", lane.name, lane.backlog_records);
  m.family("sluice_lane_backlog_bytes", "gauge", "Bytes of those.");
  for (const auto& lane : lanes) m.labelled("destination", lane.name, lane.backlog_bytes);
  m.family("sluice_lane_up", "gauge",
           "1 while the lane is live, 0 while it backs off, pauses or is stopped.");
  for (const auto& lane : lanes) {
    if (lane.state == deliver::LaneState::removed) continue;  // nobody wants it up
    m.labelled("destination", lane.name, lane.state == deliver::LaneState::live ? 1 : 0);
  }
  m.family("sluice_lane_paused", "gauge", "1 while a destination refuses the credentials or lacks them.");
  for (const auto& lane : lanes)
    m.labelled("destination", lane.name, lane.state == deliver::LaneState::paused ? 1 : 0);
  m.family("sluice_lane_breaker_open", "gauge", "1 while the breaker is open or half open.");
  for (const auto& lane : lanes)
    m.labelled("destination", lane.name, lane.breaker == deliver::Breaker::closed ? 0 : 1);
  m.family("sluice_lane_window", "gauge", "Requests that may be in flight at a time.");
  for (const auto& lane : lanes) m.labelled("destination", lane.name, lane.window);
  m.family("sluice_lane_requests_total", "counter",
           "Requests, or calls of a connector that sends itself, since the start.");
  for (const auto& lane : lanes) m.labelled("destination", lane.name, lane.sends);
  m.family("sluice_lane_retries_total", "counter", "Records put back to be sent again, since the start.");
  for (const auto& lane : lanes) m.labelled("destination", lane.name, lane.retries);
  m.family("sluice_lane_delivered_total", "counter", "Records delivered since the start.");
  for (const auto& lane : lanes) {
    m.labelled("destination", lane.name,
               lane.outcomes[static_cast<std::size_t>(deliver::OutcomeKind::delivered)]);
  }
  m.family("sluice_lane_outcomes_total", "counter", "Records by outcome since the start.");
  for (const auto& lane : lanes) {
    for (std::size_t kind = 0; kind < lane.outcomes.size(); ++kind) {
      const std::string_view name = deliver::name_of(static_cast<deliver::OutcomeKind>(kind));
      if (!name.empty()) m.labelled("destination", lane.name, "outcome", name, lane.outcomes[kind]);
    }
  }
}

void write_doors(Metrics& m, hub::Hub& hub) {
  if (const net::HttpServer* server = hub.server()) {
    m.one("sluice_connections", "gauge", "Connections open to the listening door.",
          std::uint64_t{server->connections()});
    m.one("sluice_connections_refused_total", "counter",
          "Connections closed unread: there were too many, of all or of one caller.", server->refused());
  }
  if (const ingest::TrackingDoor* door = hub.door()) {
    const ingest::TrackingCounters& c = door->counters();
    m.one("sluice_tracking_accepted_total", "counter", "Events accepted over HTTP.", c.accepted);
    m.one("sluice_tracking_requests_total", "counter", "Requests to the tracking API.", c.requests);
    m.one("sluice_decide_requests_total", "counter", "Requests for what a page may read of its visitor.",
          c.decisions);
    m.family("sluice_tracking_refused_requests_total", "counter", "Requests refused, by reason.");
    m.labelled("reason", "malformed", c.malformed);
    m.labelled("reason", "unauthorized", c.unauthorized);
    m.labelled("reason", "full", c.full);
    m.labelled("reason", "unavailable", c.unavailable);
    m.family("sluice_tracking_rejected_total", "counter", "Events rejected, by reason.");
    for (std::size_t flaw = 0; flaw < c.rejected.size(); ++flaw) {
      m.labelled("reason", ingest::code_of(static_cast<ingest::Flaw>(flaw)), c.rejected[flaw]);
    }
  }
  const auto feeds = hub.feeds();
  m.family("sluice_source_records_total", "counter", "Records read from a source since the start.");
  for (const auto& feed : feeds) m.labelled("source", feed.source, "stream", feed.stream, feed.records);
  m.family("sluice_source_rejected_total", "counter", "Rows rejected since the start; see the rejects file.");
  for (const auto& feed : feeds) m.labelled("source", feed.source, "stream", feed.stream, feed.rejected);
  m.family("sluice_source_up", "gauge", "1 while a source can be read, 0 after a read or poll that failed.");
  for (const auto& feed : feeds)
    m.labelled("source", feed.source, "stream", feed.stream, std::uint64_t{feed.error.empty() ? 1U : 0U});
}

void write_connectors(Metrics& m, hub::Hub& hub) {
  m.family("sluice_connected", "gauge",
           "1 where a person has connected it, 0 where somebody has to run 'sluice connect NAME'.");
  for (const auto& [what, usable] : hub.connected())
    m.labelled("kind", what.kind, "name", what.name, std::uint64_t{usable ? 1U : 0U});
  const auto rows = hub.connector_metrics().rows();
  const auto write = [&](bool gauge) {
    for (const auto& row : rows) {
      if (row.gauge == gauge) m.labelled("connector", row.connector, "name", row.name, row.value);
    }
  };
  m.family("sluice_connector_total", "counter",
           "What a connector counts by itself, and seconds that it measures, since the start.");
  write(false);
  m.family("sluice_connector_gauge", "gauge", "What a connector says of itself, as last told.");
  write(true);
  m.family("sluice_connector_restarts_total", "counter",
           "Times that a connector's own process ended before its time: it crashed, hung or said that it is "
           "broken.");
  for (const auto& row : hub.connector_processes().rows())
    m.labelled("connector", row.connector, row.restarts);
  m.one("sluice_connector_metrics_refused_total", "counter",
        "Reports of connectors with a bad name or value, or beyond 50 names.",
        hub.connector_metrics().refused());
}

void write_configuration(Metrics& m, hub::Hub& hub) {
  const hub::ReloadStatus file = hub.reload_status();
  m.one("sluice_config_mistakes", "gauge",
        "Mistakes of the configuration file as it is now; above 0 the one before it runs.", file.mistakes);
  m.one("sluice_config_applied_total", "counter", "Changed files applied since the start.", file.applied);
  m.one("sluice_config_refused_total", "counter", "Changed files refused since the start.", file.refused);
  m.one("sluice_connector_libraries_refused", "gauge",
        "Libraries as they are now that are refused; the ones before them run.", file.libraries.size());
}

void write_webhooks(Metrics& m, hub::Hub& hub) {
  if (const hub::Webhooks* webhooks = hub.webhooks()) {
    m.family("sluice_webhook_requests_total", "counter",
             "Requests on routes of connectors, by what came of them.");
    for (const ingest::WebhookCount& route : webhooks->door().counts()) {
      for (std::size_t i = 0; i < route.requests.size(); ++i) {
        m.labelled("name", route.name, "route", route.route, "result",
                   name_of(static_cast<ingest::WebhookResult>(i)), route.requests[i]);
      }
    }
    m.one("sluice_webhook_unknown_total", "counter", "Requests to routes that are not there.",
          webhooks->door().unknown());
  }
  if (const hub::Subscriptions* subscriptions = hub.subscriptions()) {
    const hub::Subscriptions::Counts counts = subscriptions->counts();
    m.one("sluice_webhooks_registered", "gauge", "Routes that are registered with their vendors.",
          counts.registered);
    m.one("sluice_webhook_registration_failures_total", "counter",
          "Tries to register or take back a route that failed, since the start.", counts.failures);
  }
  if (const hub::Receipts* receipts = hub.receipts()) {
    const hub::ReceiptCounters& c = receipts->counters();
    m.family("sluice_receipts_total", "counter", "What vendors said of messages, by what came of it.");
    m.labelled("result", "taken", c.taken);
    m.labelled("result", "unknown", c.unknown);
    m.labelled("result", "late", c.late);
  }
}

}  // namespace

std::string metrics_text(hub::Hub& hub) {
  Metrics m;
  write_state(m, hub);
  write_lanes(m, hub);
  write_doors(m, hub);
  write_webhooks(m, hub);
  write_connectors(m, hub);
  write_configuration(m, hub);
  m.one("sluice_journal_seq", "counter", "Inputs in the journal.", hub.journal().log().next_seq() - 1);
  m.one("sluice_journal_bytes", "gauge", "Bytes of inputs kept.", hub.journal().log().bytes());
  m.one("sluice_journal_queue_percent", "gauge",
        "How full the queue before the journal is; at 100 sources are told to wait.",
        hub.journal().percent_used());
  m.one("sluice_step_seq", "counter", "Inputs stepped.", hub.step().stepped_seq());
  return m.take();
}

}  // namespace sluice::api
