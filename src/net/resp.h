// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace lb {

// The protocol of Redis (RESP2), as much of it as checks and the store of sticky entries need.

inline constexpr size_t kMaxRespReply = 32 * 1024;  // ROLE of a primary with hundreds of replicas

struct RespValue {
  enum class Kind { text, error, number, array, null };

  Kind kind = Kind::null;
  std::string text = {};  // of text (simple or bulk), error and number as written
  std::vector<RespValue> items = {};

  friend bool operator==(const RespValue&, const RespValue&) = default;
};

struct RespParse {
  enum class State { complete, incomplete, invalid };

  State state = State::incomplete;
  size_t length = 0;  // of the reply when complete
  RespValue value = {};
};

// The first reply in `bytes`: at most kMaxRespReply bytes, arrays at most four deep.
RespParse parse_resp(std::string_view bytes);

// A command as clients send it. Words may hold any bytes.
std::string resp_command(std::initializer_list<std::string_view> words);

}  // namespace lb
