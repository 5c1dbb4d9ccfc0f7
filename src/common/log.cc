// SPDX-License-Identifier: MIT
#include "common/log.h"

#include <fcntl.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <utility>

#include "common/log_text.h"
#include "common/named_file.h"

namespace lb::log {

namespace {

constexpr size_t kQueueLength = 8192;

std::atomic<Level> g_level{Level::info};

struct State {
  std::mutex mutex;
  Settings settings;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;  // read by writers through atomic_load
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The message in a JSON string.
class JsonText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    append_json_text({message.payload.data(), message.payload.size()}, out);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonText>();
  }
};

// The message on one line.
class PlainText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    append_plain_text({message.payload.data(), message.payload.size()}, out);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PlainText>();
  }
};

// A file that is open already: spdlog's own sink opens one by its path.
class FileSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(Fd file) : file_(std::move(file)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    for (std::string_view rest(line.data(), line.size()); !rest.empty();) {
      ssize_t written = ::write(file_.get(), rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw spdlog::spdlog_ex("cannot write", errno);  // told on stderr
      rest.remove_prefix(static_cast<size_t>(written));
    }
  }
  void flush_() override {}

 private:
  Fd file_;
};

std::unique_ptr<spdlog::formatter> make_formatter(const Settings& settings) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (settings.format == Format::json) {
    formatter->add_flag<JsonText>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%*"})");
    return formatter;
  }
  // syslog stamps its lines itself.
  const char* pattern = settings.output == "syslog" ? "%l: %*" : "%Y-%m-%dT%H:%M:%S.%eZ %-7l %*";
  formatter->add_flag<PlainText>('*').set_pattern(pattern);
  return formatter;
}

Result<spdlog::sink_ptr> make_sink(const Settings& settings) {
  if (settings.output == "stderr") return {std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  if (settings.output == "stdout") return {std::make_shared<spdlog::sinks::stdout_sink_mt>()};
  if (settings.output == "syslog") {
    return {std::make_shared<spdlog::sinks::syslog_sink_mt>("lb", LOG_PID, LOG_DAEMON, true)};
  }
  auto file = open_named_file(settings.output, FileUse::append);
  if (!file) return fail(settings.output + ": " + file.error().message);
  fcntl(file->get(), F_SETFL, O_APPEND);  // its thread may wait for the reader of a FIFO
  return {std::make_shared<FileSink>(std::move(*file))};
}

}  // namespace

Status<> configure(const Settings& settings) {
  State& s = state();
  std::lock_guard lock(s.mutex);
  auto sink = make_sink(settings);
  if (!sink) return fail(sink.error().message);
  (*sink)->set_formatter(make_formatter(settings));
  if (!s.pool) s.pool = std::make_shared<spdlog::details::thread_pool>(kQueueLength, 1);
  auto logger = std::make_shared<spdlog::async_logger>(
      "lb", *sink, s.pool, spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::trace);  // filtered before formatting, by enabled()
  logger->flush_on(spdlog::level::trace);   // by the background thread: nobody waits for it
  std::atomic_store(&s.logger, std::shared_ptr<spdlog::logger>(logger));
  s.settings = settings;
  g_level.store(settings.level, std::memory_order_relaxed);
  return Done{};
}

Status<> reopen() {
  return configure(state().settings);
}

void shutdown() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  std::atomic_store(&s.logger, std::shared_ptr<spdlog::logger>());
  s.pool.reset();  // joins its thread after the queue is written
}

uint64_t lost() {
  State& s = state();
  std::lock_guard lock(s.mutex);
  return s.pool ? s.pool->overrun_counter() : 0;
}

bool enabled(Level level) {
  return level >= g_level.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message) {
  auto logger = std::atomic_load(&state().logger);
  if (!logger) return;
  try {
    logger->log(to_spdlog(level), spdlog::string_view_t(message.data(), message.size()));
  } catch (const spdlog::spdlog_ex&) {
    // shutdown() came between: spdlog throws when the queue is gone.
  }
}

}  // namespace lb::log
