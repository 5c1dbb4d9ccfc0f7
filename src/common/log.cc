// SPDX-License-Identifier: MIT
#include "common/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>

#include <atomic>
#include <memory>
#include <mutex>

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

// The length of the UTF-8 character (RFC 3629, 4) that `text` begins with; 0 = it begins with none.
size_t utf8_length(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  auto continues = [&](size_t i, unsigned char from = 0x80, unsigned char to = 0xbf) {
    return i < text.size() && byte(i) >= from && byte(i) <= to;
  };
  unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return continues(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    // Neither longer than needed nor a surrogate.
    bool second = continues(1, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf);
    return second && continues(2) ? 3 : 0;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    bool second = continues(1, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf);
    return second && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// The message in a JSON string (RFC 8259, 7). Bytes that are no UTF-8 would make the whole line
// unreadable to a JSON reader: each becomes U+FFFD.
class JsonText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    std::string_view text(message.payload.data(), message.payload.size());
    while (!text.empty()) {
      size_t length = utf8_length(text);
      auto c = static_cast<unsigned char>(text.front());
      if (length == 0) {
        fmt::format_to(std::back_inserter(out), "\\ufffd");
      } else if (c < 0x20) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
      } else {
        if (c == '"' || c == '\\') out.push_back('\\');
        out.append(text.data(), text.data() + length);
      }
      text.remove_prefix(length == 0 ? 1 : length);
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonText>();
  }
};

// The message on one line: what comes from outside cannot forge a line of its own, nor send
// sequences to the terminal that shows it.
class PlainText : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    for (char c : message.payload) {
      auto byte = static_cast<unsigned char>(c);
      if (byte >= 0x20 && byte != 0x7f) {
        out.push_back(c);
      } else {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
      }
    }
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PlainText>();
  }
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
  try {
    return {std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.output)};
  } catch (const spdlog::spdlog_ex& failure) {
    return fail(failure.what());
  }
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
