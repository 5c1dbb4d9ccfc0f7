// SPDX-License-Identifier: MIT
// Process: the configuration as a whole, read again or sent by the admin interface, and the file
// that keeps what was changed at run time.
#include <cstdio>
#include <utility>

#include "app/process.h"
#include "app/service_notification.h"
#include "app/tls_inspection.h"
#include "common/hash.h"
#include "common/log.h"
#include "config/loader.h"

namespace lb {

namespace {

constexpr const char* kSource = "PUT /api/config";

Unexpected<admin::Refusal> refused(int status, std::string message, std::string path = "",
                                   std::vector<ConfigProblem> problems = {}) {
  return {admin::Refusal{status, std::move(message), std::move(path), std::move(problems), ""}};
}

std::string in_words(const ConfigProblem& problem) {
  return fmt::format("line {}, column {}: {}{}{}", problem.line, problem.column, problem.path,
                     problem.path.empty() ? "" : ": ", problem.message);
}

Unexpected<admin::Refusal> refused(SentConfigError error) {
  if (error.forbidden) return refused(403, std::move(error.message), std::move(error.path));
  size_t count = error.problems.size();
  std::string message = count == 1 ? in_words(error.problems[0])
                                   : fmt::format("the configuration has {} problems", count);
  return refused(400, std::move(message), "", std::move(error.problems));
}

}  // namespace

void Process::reload() {
  reload_waits_ = is_busy() && !terminating_;
  if (reload_waits_ || terminating_) return;
  Outcomes asked = std::exchange(waiting_for_reload_, {});
  notify_reloading();
  auto loaded = source_.load();
  if (!loaded) {
    for (ConfigProblem& problem : loaded.error()) {
      problem.message = with_reason(std::move(problem.message));
      log::error("{}", problem.to_string(source_.name));
    }
    return refuse(source_.name + ": not reloaded", asked, std::move(loaded.error()));
  }
  warn(loaded->warnings);
  if (auto possible = check_reload(loaded->config); !possible) {
    return refuse(source_.name + ": " + possible.error().message, asked);
  }
  take_up(std::move(*loaded), std::move(asked), false);
}

void Process::take_up(LoadedConfig loaded, Outcomes asked, bool is_first) {
  auto shared = std::make_shared<LoadedConfig>(std::move(loaded));
  when_resolved(shared->config, [this, shared, asked = std::move(asked), is_first] {
    if (terminating_) return;
    if (auto applied = apply_file(std::move(shared->config), overlay_); !applied) {
      std::string why = applied.error().message;
      if (is_first) return give_up(why);
      return refuse(source_.name + ": " + with_reason(std::move(why)), asked);
    }
    announced_version_ = version_;
    if (is_first) return;
    file_document_ = document_ = std::move(shared->document);
    replacement_.reset();
    log::info("{}: reloaded", source_.name);
    ++reloads_;
    tell_event(admin::EventView::Kind::reload, "reloaded", source_.name);
    acknowledge([asked](const auto& outcome) {
      for (const admin::Outcome& one : asked) one(outcome);
    });
  });
}

void Process::refuse(const std::string& message, const Outcomes& asked,
                     std::vector<ConfigProblem> problems) {
  log::error("{}; the running configuration stays", message);
  ++failed_reloads_;
  tell_event(admin::EventView::Kind::reload, "refused", message);
  notify_service("READY=1");
  admin::Refusal refusal{400, message, "", std::move(problems), source_.name};
  for (const admin::Outcome& one : asked) one(Unexpected{refusal});
}

Status<> Process::apply_file(Config file, Overlay overlay) {
  auto contexts = tls_.build(file);
  if (!contexts) return fail(contexts.error().message);
  std::vector<std::string> problems;
  auto verifiers = tokens_.build(file, problems);
  if (!verifiers) return fail(verifiers.error().message);
  for (const std::string& problem : problems) log::error("{}; its keys stay", with_reason(problem));
  auto applied =
      apply(std::move(file), std::move(overlay), std::move(*contexts), std::move(*verifiers));
  if (applied) lists_.tell_again();
  return applied;
}

std::string Process::etag() const {
  uint64_t hash =
      hash64(to_text(SavedState{overlay_, {}, {}}), document_.fingerprint() ^ etag_seed_);
  return fmt::format("{:016x}", hash);
}

admin::ConfigView Process::config() const {
  admin::ConfigView view{document_.shown(), etag()};
  lay_over(view.config, overlay_);
  return view;
}

void Process::replace_config(const admin::NewConfig& config,
                             const admin::Reply<admin::ConfigView>& reply) {
  if (terminating_) return reply(refused(503, "lb is ending"));
  if (version_ == 0) return reply(refused(503, "lb is starting; try again in a moment"));
  waiting_to_replace_.push_back([this, config, reply] { load_replacement(config, reply); });
  go_on();
}

void Process::go_on() {
  while (!is_busy()) {
    if (reload_waits_) {
      reload();
    } else if (!waiting_to_replace_.empty()) {
      auto next = std::move(waiting_to_replace_.front());
      waiting_to_replace_.pop_front();
      next();
    } else {
      return;
    }
  }
}

void Process::load_replacement(const admin::NewConfig& config,
                               const admin::Reply<admin::ConfigView>& reply) {
  if (terminating_) return reply(refused(503, "lb is ending"));
  if (!config.may_replace(etag())) {
    return reply(refused(412, "the configuration was changed meanwhile; get it anew"));
  }
  auto loaded =
      load_sent(config.text, file_document_, document_, source_.directory, &tls_inspector());
  if (!loaded) return reply(refused(std::move(loaded.error())));
  if (auto possible = check_reload(loaded->config); !possible) {
    return reply(refused(400, possible.error().message));
  }
  for (const ConfigProblem& warning : loaded->warnings) {
    log::warning("{}", warning.to_string(kSource));
  }
  auto shared = std::make_shared<LoadedConfig>(std::move(*loaded));
  when_resolved(shared->config, [this, shared, config, reply] {
    apply_replacement(std::move(*shared), config, reply);
  });
}

void Process::apply_replacement(LoadedConfig loaded, const admin::NewConfig& config,
                                const admin::Reply<admin::ConfigView>& reply) {
  if (terminating_) return reply(refused(503, "lb is ending"));
  // While names were resolved another one may have come.
  if (!config.may_replace(etag())) {
    return reply(refused(412, "the configuration was changed meanwhile; get it anew"));
  }
  const Overlay before = overlay_;
  if (auto applied = apply_file(std::move(loaded.config), {}); !applied) {
    return reply(refused(400, applied.error().message));
  }
  for (const auto& [key, state] : before.states) {
    Server* server = registry_.find(key.first, key.second);
    if (server == nullptr) continue;
    registry_.set_admin_state(*server, AdminState::ready, "the configuration was replaced");
  }
  if (registry_.dirty()) publish();
  document_ = std::move(loaded.document);
  replacement_ = {document_.to_store(), file_document_.fingerprint()};
  log::info("{}: in the place of {}, until it is read again", kSource, source_.name);
  ++reloads_;
  tell_event(admin::EventView::Kind::reload, "reloaded", kSource);
  acknowledge([this, reply](const auto& outcome) {
    if (!outcome) return reply(Unexpected{outcome.error()});
    reply(this->config());
  });
}

Status<> Process::read_state(Notes& notes) {
  if (!config_->admin || config_->admin->state_file.empty()) return Done{};
  const std::string path = config_->admin->state_file;
  auto text = StateFile::read(path);
  if (!text) return fail("admin.state_file: " + text.error().message);
  if (!*text) return Done{};
  auto state = parse_state(**text);
  if (state) {
    restore(std::move(*state), notes);
    return Done{};
  }
  std::string kept = path + ".bad";
  (void)std::rename(path.c_str(), kept.c_str());
  notes.emplace_back(log::Level::error,
                     fmt::format("admin.state_file: {} is {}; it is not used and kept as {}", path,
                                 state.error().message, kept));
  return Done{};
}

void Process::restore(SavedState state, Notes& notes) {
  overlay_ = std::move(state.overlay);
  if (!state.cookie_key.empty()) cookie_key_ = std::move(state.cookie_key);
  if (!state.replacement) return;
  if (state.replacement->in_place_of != file_document_.fingerprint()) {
    notes.emplace_back(
        log::Level::warning,
        fmt::format("{} was changed since a configuration was put in its place: the file holds",
                    source_.name));
    return;
  }
  auto loaded = load_sent(state.replacement->text, file_document_, file_document_,
                          source_.directory, &tls_inspector());
  if (!loaded) {
    notes.emplace_back(
        log::Level::error,
        fmt::format("the configuration that was put in the place of {} no longer holds: {}",
                    source_.name,
                    loaded.error().problems.empty() ? loaded.error().message
                                                    : in_words(loaded.error().problems[0])));
    return;
  }
  notes.emplace_back(
      log::Level::info,
      fmt::format("the configuration that was put in the place of {} holds on", source_.name));
  file_ = config_ = std::make_shared<const Config>(std::move(loaded->config));
  document_ = std::move(loaded->document);
  replacement_ = std::move(state.replacement);
}

// Better now than at the first change.
Status<> Process::write_first_state() {
  if (!config_->admin || config_->admin->state_file.empty()) return Done{};
  auto written = StateFile::write(config_->admin->state_file,
                                  to_text(SavedState{overlay_, replacement_, cookie_key_}));
  if (!written) return fail("admin.state_file: " + written.error().message);
  follow_state_file();
  return Done{};
}

void Process::follow_state_file() {
  std::string path = config_->admin ? config_->admin->state_file : "";
  if (state_file_ && state_file_->path() == path) return;
  state_file_.reset();
  if (!path.empty()) state_file_ = std::make_unique<StateFile>(std::move(path), mailbox_);
}

void Process::save_state(StateFile::Callback callback) {
  if (!state_file_) return callback(Done{});
  state_file_->save(to_text(SavedState{overlay_, replacement_, cookie_key_}), std::move(callback));
}

void Process::acknowledge(const admin::Outcome& outcome) {
  when_everywhere([this, outcome] {
    save_state([outcome](const Status<>& saved) {
      if (saved) return outcome(Done{});
      log::error("admin.state_file: {}; changes made at run time end with this process",
                 saved.error().message);
      outcome(refused(
          500, "the change holds, but will not survive a restart: " + saved.error().message));
    });
  });
}

}  // namespace lb
