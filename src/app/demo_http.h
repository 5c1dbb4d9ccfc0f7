// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/demo_shop.h"
#include "app/demo_work.h"
#include "l7/chunk_decoder.h"
#include "l7/http1_parser.h"

namespace lb {

// What an example server, with all its connections, serves HTTP from. The server's thread.
struct DemoHttpTools {
  const std::string server;
  DemoShop& shop;
  DemoPictures& pictures;
  DemoWork& work;
};

// The requests of one connection to an example server, one after another: takes what the client
// sent, says when a request will be answered, and writes the answer. What it holds is bounded: a
// head of 32 KiB, a body of DemoPictures::kMostBytes. The server's thread.
class DemoHttp {
 public:
  explicit DemoHttp(const DemoHttpTools& tools) : tools_(tools) {}

  // Whether a connection's first line is a request's.
  static bool is_request(std::string_view line) { return line.find(" HTTP/1.") != line.npos; }

  // Takes from the front of `received` as much as belongs to the next request. True: it is whole,
  // or refused, and answer() is due at `answer_us`. What the client is told meanwhile goes to
  // `out`.
  bool take(std::string& received, int64_t now_us, std::string& out);
  int64_t answer_us() const { return answer_us_; }
  void answer(int64_t now_us, std::string& out);
  // The connection ends after what was answered.
  bool is_last() const { return is_last_; }

 private:
  bool take_head(std::string& received, std::string& out);
  bool take_body(std::string& received);
  bool refuse(int status);
  void write(const DemoAnswer& answer, int64_t now_us, std::string& out) const;
  DemoAnswer health(int64_t now_us) const;
  std::string load(int64_t now_us) const;

  const DemoHttpTools& tools_;
  RequestParser parser_;
  KeptRequest request_;
  std::optional<ChunkDecoder> chunks_;
  std::string body_;
  bool has_head_ = false;
  bool is_last_ = false;
  int refused_ = 0;  // a status
  int64_t answer_us_ = 0;
};

}  // namespace lb
