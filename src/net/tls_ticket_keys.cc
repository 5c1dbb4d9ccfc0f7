// SPDX-License-Identifier: MIT
#include "net/tls_ticket_keys.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "common/random.h"

namespace lb {

namespace {

constexpr size_t kShort = 48;  // name, AES-128 key, HMAC key of 16
constexpr size_t kLong = 80;   // name, HMAC key of 32, AES-256 key
constexpr size_t kMostKeys = 16;

TicketKeys::Key random_key() {
  TicketKeys::Key key;
  fill_random(key.name.data(), key.name.size());
  fill_random(key.hmac.data(), key.hmac.size());
  fill_random(key.aes.data(), key.aes.size());
  return key;
}

TicketKeys::Key key_of(std::string_view bytes) {
  TicketKeys::Key key{};
  const char* at = bytes.data();
  std::memcpy(key.name.data(), at, 16);
  key.is_short = bytes.size() == kShort;
  if (key.is_short) {
    std::memcpy(key.aes.data(), at + 16, 16);
    std::memcpy(key.hmac.data(), at + 32, 16);
  } else {
    std::memcpy(key.hmac.data(), at + 16, 32);
    std::memcpy(key.aes.data(), at + 48, 32);
  }
  return key;
}

// The bytes of a line of base64; "" where it is none.
std::string decode(std::string_view line) {
  if (line.empty() || line.size() > 200 || line.size() % 4 != 0) return {};
  std::string bytes(line.size() / 4 * 3, '\0');
  int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                             reinterpret_cast<const unsigned char*>(line.data()),
                             static_cast<int>(line.size()));
  if (size < 0) return {};
  auto padding = static_cast<size_t>(std::count(line.end() - 2, line.end(), '='));
  bytes.resize(static_cast<size_t>(size) - padding);
  return bytes;
}

}  // namespace

TicketKeys::TicketKeys() {
  keys_.push_back(random_key());
}

void TicketKeys::rotate() {
  Key key = random_key();
  std::lock_guard lock(mutex_);
  keys_.insert(keys_.begin(), key);
  if (keys_.size() > kKept) keys_.resize(kKept);
}

void TicketKeys::replace(std::vector<Key> keys) {
  std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

TicketKeys::Key TicketKeys::sealing() const {
  std::lock_guard lock(mutex_);
  return keys_.front();
}

std::optional<TicketKeys::Found> TicketKeys::find(const unsigned char* name) const {
  std::lock_guard lock(mutex_);
  for (const Key& key : keys_) {
    if (std::equal(key.name.begin(), key.name.end(), name)) return Found{key, &key == &keys_[0]};
  }
  return std::nullopt;
}

Result<std::vector<TicketKeys::Key>> TicketKeys::parse(std::string_view text) {
  if (text.size() == kShort || text.size() == kLong) return std::vector<Key>{key_of(text)};
  std::vector<Key> keys;
  for (int line = 1; !text.empty(); ++line) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (content.ends_with('\r')) content.remove_suffix(1);
    if (content.empty()) continue;
    std::string bytes = decode(content);
    if (bytes.size() != kShort && bytes.size() != kLong) {
      return fail("line " + std::to_string(line) +
                  " is no ticket key: 80 bytes in base64 (openssl rand -base64 80 | tr -d '\\n')");
    }
    keys.push_back(key_of(bytes));
    if (keys.size() > kMostKeys) return fail("holds more than 16 keys");
  }
  if (keys.empty()) return fail("holds no ticket key");
  return keys;
}

}  // namespace lb
