// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/named_file.h"

namespace lb {

// How a process in the sandbox asks for files and is answered, one message a packet. Both ends are
// this program, so the format is the machine's own; it is checked all the same.

inline constexpr size_t kMaxFileMessage = 4'608;  // the longest path, and what stands before it

struct FileRequest {
  uint64_t id = 0;
  FileUse use = FileUse::read;  // or append
  std::string path = {};
};

struct FileAnswer {
  uint64_t id = 0;
  std::string problem = {};  // empty: the file's descriptor travels with the answer
};

// Nothing for a request that nobody would take: of FileUse::replace, or whose path is empty, longer
// than a path can be or holds a NUL.
std::optional<std::string> to_bytes(const FileRequest& request);
// A problem is cut to 500 bytes.
std::string to_bytes(const FileAnswer& answer);
std::optional<FileRequest> parse_file_request(std::string_view bytes);
std::optional<FileAnswer> parse_file_answer(std::string_view bytes);

}  // namespace lb
