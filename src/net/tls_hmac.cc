// SPDX-License-Identifier: MIT
#include "net/tls_hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <new>
#include <string>

namespace lb {

namespace {

constexpr size_t kBlock = 64;

using Context = std::shared_ptr<EVP_MD_CTX>;

// SHA-256 of nothing fails for want of memory alone.
void must(int made) {
  if (made != 1) throw std::bad_alloc();
}

Context new_context() {
  Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  must(context != nullptr);
  return context;
}

const EVP_MD* sha256() {
  static const std::shared_ptr<EVP_MD> hash(EVP_MD_fetch(nullptr, "SHA256", nullptr), EVP_MD_free);
  return hash.get();
}

Context begin(std::string key, char pad) {
  for (char& c : key) c = static_cast<char>(c ^ pad);
  Context context = new_context();
  must(EVP_DigestInit_ex(context.get(), sha256(), nullptr));
  must(EVP_DigestUpdate(context.get(), key.data(), key.size()));
  return context;
}

void finish(const EVP_MD_CTX* begun, std::string_view bytes, Hmac::Tag& tag) {
  thread_local const Context context = new_context();
  must(EVP_MD_CTX_copy_ex(context.get(), begun));
  must(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()));
  must(EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(tag.data()), nullptr));
}

}  // namespace

Hmac::Hmac(std::string_view key) {
  std::string block(key);
  if (block.size() > kBlock) {
    Tag hashed;
    Context context = new_context();
    must(EVP_DigestInit_ex(context.get(), sha256(), nullptr));
    finish(context.get(), block, hashed);
    block.assign(hashed.data(), hashed.size());
  }
  block.resize(kBlock, '\0');
  inner_ = begin(block, 0x36);
  outer_ = begin(block, 0x5c);
}

Hmac::Tag Hmac::of(std::string_view bytes) const {
  Tag tag;
  finish(inner_.get(), bytes, tag);
  finish(outer_.get(), {tag.data(), tag.size()}, tag);
  return tag;
}

bool Hmac::has_made(std::string_view tag, std::string_view bytes) const {
  Tag right = of(bytes);
  return !tag.empty() && tag.size() <= right.size() &&
         CRYPTO_memcmp(tag.data(), right.data(), tag.size()) == 0;
}

}  // namespace lb
