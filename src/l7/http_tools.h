// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "l7/http_message.h"
#include "l7/own_response.h"
#include "l7/server_connections.h"
#include "net/relay.h"
#include "pool/worker_context.h"

namespace lb {

// What all HTTP of one worker shares. Worker thread.
struct HttpTools {
  static constexpr size_t kScratchSize = RelayTools::kScratchSize;

  explicit HttpTools(WorkerContext& context)
      : worker(context), client_scratch(std::make_unique<char[]>(kScratchSize)) {}

  WorkerContext& worker;
  // What is read of clients; what is read of servers goes into the worker's relay scratch, since
  // the one may happen within the other.
  std::unique_ptr<char[]> client_scratch;
  std::string out;            // a head while it is written
  RequestHead request;        // while it is parsed
  ResponseHead response;      // likewise
  std::vector<Field> fields;  // of a head while it is written for HTTP/2
  DateText date;
  ServerConnections servers{*this};

  // The memory of one request, which comes back for the next ones.
  std::unique_ptr<KeptRequest> take_request() {
    if (spare_requests_.empty()) return std::make_unique<KeptRequest>();
    auto spare = std::move(spare_requests_.back());
    spare_requests_.pop_back();
    return spare;
  }
  void give_back(std::unique_ptr<KeptRequest> used) {
    if (spare_requests_.size() == kSpareRequests) return;
    used->clear();
    spare_requests_.push_back(std::move(used));
  }

  char* server_scratch() const { return worker.relay.scratch.get(); }

 private:
  static constexpr size_t kSpareRequests = 64;

  std::vector<std::unique_ptr<KeptRequest>> spare_requests_;
};

}  // namespace lb
