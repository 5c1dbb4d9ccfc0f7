// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "l7/exchange.h"
#include "l7/http_session.h"
#include "net/stream_pipe.h"

namespace lb {

struct HttpSession::Work : InSlab<Work> {
  IoEvent writable;
  std::string in;       // read and not processed
  std::string backlog;  // to be sent
  RequestParser parser;
  ChunkDecoder decoder;
  StreamPipe pipe;  // to the client
  SpliceSense sense;
  BodyKind body = BodyKind::none;
  uint64_t left = 0;
  size_t unsent = 0;             // while lingering: what the client had not got yet
  int64_t looked_ms = 0;         // while paused: when it was last seen to be there
  int64_t stalled_since_ms = 0;  // the client takes nothing; 0 = it does
  std::unique_ptr<Exchange> exchange;
};

}  // namespace lb
