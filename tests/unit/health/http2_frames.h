// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lb {

// HTTP/2 frames as a server writes them (RFC 9113), with headers as plain literals.

inline std::string http2_frame(int type, int flags, int stream, const std::string& payload) {
  std::string frame;
  for (int shift : {16, 8, 0}) frame.push_back(static_cast<char>(payload.size() >> shift));
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  for (int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(stream >> shift));
  return frame + payload;
}

inline std::string http2_settings() {
  return http2_frame(4, 0, 0, "");
}

inline std::string http2_head(const std::vector<std::pair<std::string, std::string>>& fields,
                              bool end = false) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block.push_back('\0');
    block.push_back(static_cast<char>(name.size()));
    block += name;
    block.push_back(static_cast<char>(value.size()));
    block += value;
  }
  return http2_frame(1, end ? 5 : 4, 1, block);
}

inline std::string http2_data(const std::string& bytes, bool end = false) {
  return http2_frame(0, end ? 1 : 0, 1, bytes);
}

inline std::string grpc_message(const std::string& message) {
  std::string framed(1, '\0');
  for (int shift : {24, 16, 8, 0}) framed.push_back(static_cast<char>(message.size() >> shift));
  return framed + message;
}

}  // namespace lb
