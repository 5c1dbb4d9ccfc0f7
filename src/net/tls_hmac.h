// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <memory>
#include <string_view>

struct evp_md_ctx_st;

namespace lb {

// HMAC-SHA-256 (RFC 2104) by one key, which is taken in once. Immutable; any thread.
class Hmac {
 public:
  using Tag = std::array<char, 32>;

  explicit Hmac(std::string_view key);

  Tag of(std::string_view bytes) const;
  // Whether a tag, or its first part, is that of these bytes; takes as long for all tags.
  bool has_made(std::string_view tag, std::string_view bytes) const;

 private:
  std::shared_ptr<evp_md_ctx_st> inner_;
  std::shared_ptr<evp_md_ctx_st> outer_;
};

}  // namespace lb
