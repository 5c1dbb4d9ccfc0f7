// SPDX-License-Identifier: MIT
#include "health/script_message.h"

#include "common/message_head.h"

namespace lb {

namespace {

struct RequestHead {
  uint64_t id;
  int64_t deadline_ms;
  uint64_t words;
};

struct AnswerHead {
  uint64_t id;
  uint64_t passed;
};

bool take_texts(std::string_view& bytes, uint64_t count, std::vector<std::string>& out) {
  for (uint64_t i = 0; i < count; ++i) {
    size_t end = bytes.find('\0');
    if (end == std::string_view::npos) return false;
    out.emplace_back(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  return true;
}

}  // namespace

std::optional<std::string> to_bytes(const ScriptRequest& request) {
  std::string bytes;
  append_head(bytes, RequestHead{.id = request.id,
                                 .deadline_ms = request.deadline_ms,
                                 .words = request.command.size()});
  auto append = [&](const std::string& text) { bytes.append(text).push_back('\0'); };
  for (const std::string& word : request.command) append(word);
  const auto& [name, address, host, port] = request.server;
  for (const std::string* text : {&name, &address, &host, &port}) append(*text);
  if (bytes.size() > kMaxScriptMessage) return {};
  return bytes;
}

std::string to_bytes(const ScriptAnswer& answer) {
  std::string bytes;
  append_head(bytes, AnswerHead{.id = answer.id, .passed = answer.passed ? 1U : 0U});
  return bytes.append(answer.detail);
}

std::optional<ScriptRequest> parse_script_request(std::string_view bytes) {
  RequestHead head{};
  if (!take_head(bytes, head) || head.words == 0) return {};
  ScriptRequest request{.id = head.id, .deadline_ms = head.deadline_ms};
  if (!take_texts(bytes, head.words, request.command)) return {};
  std::vector<std::string> server;
  if (!take_texts(bytes, 4, server) || !bytes.empty()) return {};
  request.server = {server[0], server[1], server[2], server[3]};
  return request;
}

std::optional<ScriptAnswer> parse_script_answer(std::string_view bytes) {
  AnswerHead head{};
  if (!take_head(bytes, head) || head.passed > 1) return {};
  return ScriptAnswer{.id = head.id, .passed = head.passed == 1, .detail = std::string(bytes)};
}

}  // namespace lb
