// SPDX-License-Identifier: MIT
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace lb::bench {

// Requests of users who have logged in: each brings a JSON Web Token of its own, signed by HS256
// with kSecret.
class Users {
 public:
  static constexpr std::string_view kSecret = "the secret of the bench, 32 bytes";

  // Of `count` users who are known so many go on asking.
  Users(uint64_t count, uint64_t asking) : count_(count), asking_(asking) {}

  uint64_t count() const { return count_; }

  // Of every user once, in turn; then of those who go on, by chance.
  const std::string& next_request() {
    const uint64_t user = asked_ < count_ ? asked_ : random() % asking_ * (count_ / asking_);
    ++asked_;
    char payload[64];
    std::snprintf(payload, sizeof payload, "{\"sub\":\"user-%09llu\",\"exp\":4102444800}",
                  static_cast<unsigned long long>(user));
    std::string token = base64url(R"({"alg":"HS256","typ":"JWT"})") + '.' + base64url(payload);
    unsigned char signature[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    HMAC(EVP_sha256(), kSecret.data(), static_cast<int>(kSecret.size()),
         reinterpret_cast<const unsigned char*>(token.data()), token.size(), signature, &size);
    token += '.';
    token += base64url({reinterpret_cast<const char*>(signature), size});
    request_ = "GET / HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n";
    request_ += "Authorization: Bearer " + token + "\r\n\r\n";
    return request_;
  }

 private:
  static std::string base64url(std::string_view bytes) {
    constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string text;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : bytes) {
      bits = bits << 8 | static_cast<unsigned char>(c);
      for (count += 8; count >= 6; count -= 6) text += kAlphabet[bits >> (count - 6) & 63];
    }
    if (count > 0) text += kAlphabet[bits << (6 - count) & 63];
    return text;
  }

  uint64_t random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }

  uint64_t count_;
  uint64_t asking_;
  uint64_t asked_ = 0;
  uint64_t state_ = 0x9e3779b97f4a7c15;
  std::string request_;
};

}  // namespace lb::bench
