// SPDX-License-Identifier: MIT
#include "common/file_message.h"

#include <climits>

#include "common/message_head.h"

namespace lb {

namespace {

constexpr size_t kMostProblem = 500;

struct RequestHead {
  uint64_t id;
  uint64_t use;
};

bool is_path(std::string_view text) {
  return !text.empty() && text.size() < PATH_MAX && text.find('\0') == std::string_view::npos;
}

bool is_asked_for(FileUse use) {
  return use == FileUse::read || use == FileUse::append;
}

template <typename Head>
std::string with_head(const Head& head, std::string_view text) {
  std::string bytes;
  append_head(bytes, head);
  return bytes.append(text);
}

}  // namespace

static_assert(kMaxFileMessage >= sizeof(RequestHead) + PATH_MAX);

std::optional<std::string> to_bytes(const FileRequest& request) {
  if (!is_asked_for(request.use) || !is_path(request.path)) return {};
  RequestHead head{.id = request.id, .use = static_cast<uint64_t>(request.use)};
  return with_head(head, request.path);
}

std::string to_bytes(const FileAnswer& answer) {
  return with_head(answer.id, std::string_view(answer.problem).substr(0, kMostProblem));
}

std::optional<FileRequest> parse_file_request(std::string_view bytes) {
  RequestHead head{};
  if (!take_head(bytes, head) || head.use > static_cast<uint64_t>(FileUse::append)) return {};
  if (!is_path(bytes)) return {};
  return FileRequest{
      .id = head.id, .use = static_cast<FileUse>(head.use), .path = std::string(bytes)};
}

std::optional<FileAnswer> parse_file_answer(std::string_view bytes) {
  uint64_t id = 0;
  if (!take_head(bytes, id) || bytes.size() > kMostProblem) return {};
  return FileAnswer{.id = id, .problem = std::string(bytes)};
}

}  // namespace lb
