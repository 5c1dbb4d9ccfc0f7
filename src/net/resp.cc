// SPDX-License-Identifier: MIT
#include "net/resp.h"

#include <charconv>

#include "common/log.h"

namespace lb {

namespace {

constexpr int kDeepest = 4;
constexpr std::string_view kEnd = "\r\n";

// Reads from the front of what is left.
class RespReader {
 public:
  using State = RespParse::State;

  explicit RespReader(std::string_view bytes) : rest_(bytes) {}

  size_t left() const { return rest_.size(); }

  State read(RespValue& value, int depth) {
    std::string_view line;
    if (State state = take_line(line); state != State::complete) return state;
    if (line.empty()) return State::invalid;
    char type = line.front();
    line.remove_prefix(1);
    switch (type) {
      case '+':
        return take_text(line, RespValue::Kind::text, value);
      case '-':
        return take_text(line, RespValue::Kind::error, value);
      case ':':
        return take_number(line, value);
      case '$':
        return read_bulk(line, value);
      case '*':
        return read_array(line, value, depth);
      default:
        return State::invalid;
    }
  }

 private:
  State take_line(std::string_view& line) {
    size_t end = rest_.find(kEnd);
    if (end == std::string_view::npos) {
      return rest_.size() < kMaxRespReply ? State::incomplete : State::invalid;
    }
    line = rest_.substr(0, end);
    rest_.remove_prefix(end + kEnd.size());
    return State::complete;
  }

  static State take_text(std::string_view line, RespValue::Kind kind, RespValue& value) {
    value.kind = kind;
    value.text = line;
    return State::complete;
  }

  static bool parse_number(std::string_view text, int64_t& number) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }

  static State take_number(std::string_view line, RespValue& value) {
    int64_t number = 0;
    if (!parse_number(line, number)) return State::invalid;
    return take_text(line, RespValue::Kind::number, value);
  }

  State read_bulk(std::string_view line, RespValue& value) {
    int64_t length = 0;
    if (!parse_number(line, length) || length < -1) return State::invalid;
    if (length == -1) return State::complete;  // null
    if (length > static_cast<int64_t>(kMaxRespReply)) return State::invalid;
    auto size = static_cast<size_t>(length);
    if (rest_.size() < size + kEnd.size()) return State::incomplete;
    if (rest_.substr(size, kEnd.size()) != kEnd) return State::invalid;
    value.kind = RespValue::Kind::text;
    value.text = rest_.substr(0, size);
    rest_.remove_prefix(size + kEnd.size());
    return State::complete;
  }

  State read_array(std::string_view line, RespValue& value, int depth) {
    int64_t count = 0;
    if (!parse_number(line, count) || count < -1) return State::invalid;
    if (count == -1) return State::complete;  // null
    // Each item has three bytes at least.
    if (depth == kDeepest || count > static_cast<int64_t>(kMaxRespReply / 3)) return State::invalid;
    value.kind = RespValue::Kind::array;
    for (int64_t i = 0; i < count; ++i) {
      State state = read(value.items.emplace_back(), depth + 1);
      if (state != State::complete) return state;
    }
    return State::complete;
  }

  std::string_view rest_;
};

}  // namespace

RespParse parse_resp(std::string_view bytes) {
  std::string_view within = bytes.substr(0, kMaxRespReply);
  RespReader reader(within);
  RespParse parse;
  parse.state = reader.read(parse.value, 0);
  if (parse.state == RespParse::State::complete) {
    parse.length = within.size() - reader.left();
    return parse;
  }
  parse.value = {};
  bool is_full = within.size() == kMaxRespReply;
  if (parse.state == RespParse::State::incomplete && is_full)
    parse.state = RespParse::State::invalid;
  return parse;
}

std::string resp_command(std::initializer_list<std::string_view> words) {
  std::string command = fmt::format("*{}\r\n", words.size());
  for (std::string_view word : words) command += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return command;
}

}  // namespace lb
