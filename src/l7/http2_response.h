// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

#include "l7/http_message.h"

namespace lb {

// Makes a response's head of the fields of a header block, as strictly as Http2RequestReader makes
// requests. Reads one block; one thread.
class Http2ResponseReader {
 public:
  // Views of the head point into `kept`.
  Http2ResponseReader(KeptRequest& kept, ResponseHead& head);

  void add(std::string_view name, std::string_view value);
  // After the last field. Why it is malformed, or null. `method` is that of the request.
  const char* finish(Method method, bool end_stream);

 private:
  void malformed(const char* why) {
    if (why_ == nullptr) why_ = why;
  }

  KeptRequest& kept_;
  ResponseHead& head_;
  const char* why_ = nullptr;
  size_t size_ = 0;
  size_t count_ = 0;
  bool seen_field_ = false;
};

}  // namespace lb
