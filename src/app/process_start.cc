// SPDX-License-Identifier: MIT
// What happens once, before the first configuration is taken up.
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "app/descriptors.h"
#include "app/process.h"
#include "common/log.h"

namespace lb {

// The order is the sandbox's: what it takes away is used before it, and every thread, the log's
// included, begins inside.
Status<> Process::start() {
  signal(SIGPIPE, SIG_IGN);  // splice(2) knows no MSG_NOSIGNAL
  const log::Settings written = config_->log;
  Notes notes;
  auto opened = open_addresses(notes);
  Status<> entered = sandbox_ ? sandbox_->enter() : Done{};
  if (!entered) (void)log::configure({});  // no file, which would be the wrong user's
  if (!entered) return entered;
  if (auto logged = open_log(written); !logged) return logged;
  for (const auto& [level, message] : notes) {
    if (log::enabled(level)) log::write(level, message);
  }
  if (!opened) return opened;
  warn(first_warnings_);
  if (sandbox_) sandbox_->tell();
  size_t pipes = plan_descriptors(raise_descriptor_limit(), workers_, 0, 1).pipes_per_worker;
  for (size_t i = 0; i < workers_; ++i) {
    team_.workers.push_back(std::make_unique<Worker>(i, team_, pipes));
  }
  watch_signals();
  if (auto files = open_files(); !files) return files;
  for (auto& worker : team_.workers) worker->start();
  rate_.note(work_so_far());
  housekeeping_.start(kHousekeeping);
  take_up({*file_, {}, document_}, {}, true);
  return Done{};
}

Status<> Process::open_addresses(Notes& notes) {
  raise_descriptor_limit();  // a port may need hundreds of sockets
  if (auto read = read_state(notes); !read) return read;
  std::optional<User> user = sandbox_ ? sandbox_->user() : std::nullopt;
  SocketOwner owner(user ? &*user : nullptr);
  auto sockets = open_sockets(*config_, {}, workers_);
  if (!sockets) return fail(sockets.error().message);
  if (auto opened = open_admin(); !opened) return opened;
  owner.take_over(*sockets);
  sockets_ = std::move(*sockets);
  return Done{};
}

// A configuration that took the place of the file has settings of its own.
Status<> Process::open_log(const log::Settings& written) {
  if (auto opened = log::configure(written); !opened) {
    (void)log::configure({});  // so that somebody hears of it
    return fail("log.output: " + opened.error().message);
  }
  if (config_->log == written) return Done{};
  if (auto opened = log::configure(config_->log); !opened) {
    log::error("log.output: {}", opened.error().message);
  }
  return Done{};
}

Status<> Process::open_files() {
  if (auto readable = sandbox_ ? sandbox_->may_read(*config_) : Done{}; !readable) return readable;
  if (auto written = write_first_state(); !written) return written;
  auto access_logs = access_logs_.open(*config_);
  if (!access_logs) return fail(access_logs.error().message);
  access_logs_.use(std::move(*access_logs));
  return Done{};
}

void Process::watch_signals() {
  auto watch = [this](int number, const std::function<void()>& action) {
    signals_.push_back(std::make_unique<SignalEvent>(loop_, number, action));
  };
  watch(SIGHUP, [this] { reload(); });
  watch(SIGTERM, [this] { terminate(); });
  watch(SIGINT, [this] { terminate(); });
  watch(SIGUSR1, [this] {
    for (const std::string& problem : access_logs_.reopen()) {
      log::error("cannot reopen the access log: {}", with_reason(problem));
    }
    if (auto reopened = log::reopen(); !reopened) {
      log::error("cannot reopen the log: {}", with_reason(reopened.error().message));
    }
  });
}

Status<> Process::open_admin() {
  if (!config_->admin) return Done{};
  // Never in clear, not even before the first configuration is taken up.
  auto contexts = tls_.build(*config_);
  if (!contexts) return fail(contexts.error().message);
  tls_.adopt(std::move(*contexts));
  auto opened = admin::AdminServer::open(loop_, *this, *config_->admin, tls_.of_admin());
  if (!opened) return fail(opened.error().message);
  admin_ = std::move(*opened);
  return Done{};
}

}  // namespace lb
