// SPDX-License-Identifier: MIT
// What comes from the client: its connection's beginning, requests, and the end.
#include "l7/http_session.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "l7/exchange.h"
#include "l7/http2_session.h"
#include "l7/http_frontend.h"
#include "l7/http_session_work.h"
#include "net/socket.h"

namespace lb {

namespace {

constexpr int kReadsPerTurn = 4;
// Requests of one client, which it pipelined and which were answered at once, before others have
// their turn.
constexpr int kExchangesPerTurn = 32;

}  // namespace

HttpSession::HttpSession(HttpFrontend& frontend, Fd client, const Address& peer)
    : frontend_(frontend),
      stream_(std::move(client)),
      peer_(peer),
      since_ms_(frontend.worker().loop.now_ms()) {}

HttpSession::~HttpSession() = default;

int64_t HttpSession::now_ms() const {
  return frontend_.worker().loop.now_ms();
}

HttpSession::Work& HttpSession::work() {
  if (!work_) {
    work_ = std::make_unique<Work>();
    work_->writable.bind<&HttpSession::on_writable>(frontend_.worker().loop, stream_.fd(),
                                                    IoEvent::kWrite, this);
  }
  return *work_;
}

void HttpSession::start() {
  readable_.bind<&HttpSession::on_readable>(frontend_.worker().loop, stream_.fd(), IoEvent::kRead,
                                            this);
  if (frontend_.header_follows(peer_)) {
    at_ = At::proxy_header;
    readable_.arm();
    lower_deadline();
    return;
  }
  begin({}, {});
}

void HttpSession::read_proxy_header() {
  char* scratch = frontend_.tools().client_scratch.get();
  Transfer got = stream_.read({scratch, HttpTools::kScratchSize});
  if (got.outcome == Transfer::Outcome::wants_read) return;
  if (got.outcome != Transfer::Outcome::done) return end(CloseReason::client_gone);
  std::string& partial = work().in;
  partial.append(scratch, got.bytes);
  ProxyParse parsed = parse_proxy_header(partial);
  if (parsed.state == ProxyParse::State::incomplete) return;
  if (parsed.state == ProxyParse::State::invalid) return end(CloseReason::bad_proxy_header);
  if (!parsed.header.source.empty()) peer_ = parsed.header.source;
  if (auto refused = frontend_.refuses(peer_)) return end(*refused);
  std::string rest = std::exchange(partial, {}).substr(parsed.length);
  begin(parsed.header, rest);
}

// `header` is what a balancer before us said, `rest` what followed it.
void HttpSession::begin(const ProxyHeader&, std::string_view rest) {
  auto place = frontend_.place_of(peer_);
  if (!place) return end(CloseReason::source_full);
  place_ = std::move(*place);
  is_trusted_ = frontend_.config().http.trusted_proxies.contains(peer_);
  if (frontend_.tls()) return begin_handshake(rest);
  became_idle();
  if (rest.empty()) return read();  // clients of HTTP speak first
  std::string bytes(rest);
  take(bytes.data(), bytes.size());
}

void HttpSession::begin_handshake(std::string_view received) {
  auto tls = frontend_.tls()->accept(stream_.fd());
  tls->prepend(received);
  stream_ = Stream(stream_.take_fd(), std::move(tls));
  at_ = At::handshake;
  lower_deadline();
  shake_hands();
}

void HttpSession::shake_hands() {
  WorkerContext& worker = frontend_.worker();
  Transfer step{};
  if (!worker.handshakes.run(worker.loop, [&] { step = stream_.handshake(); })) {
    return await_bytes();
  }
  if (work_) work_->writable.disarm();
  switch (step.outcome) {
    case Transfer::Outcome::done:
      if (stream_.tls()->alpn() == "h2") return become_http2({});
      became_idle();
      readable_.arm();
      return read();
    case Transfer::Outcome::wants_read:
      return await_bytes();
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      return work().writable.arm();
    default:
      if (stream_.tls()->heard_http()) return refuse_plain_http();
      log::debug("listener {}: {}: {}", frontend_.config().name, peer_.to_string(),
                 stream_.reason());
      return end(CloseReason::tls_failed);
  }
}

// In clear too: somebody who took the wrong scheme is to read why.
void HttpSession::refuse_plain_http() {
  Fd client = stream_.take_fd();
  stream_ = Stream(std::move(client));
  refuse({400, "plain HTTP where TLS is spoken"}, ExchangeEnd::plain_http, {});
}

// With prior knowledge (RFC 9113, 3.3): in clear alone, where no ALPN has told.
bool HttpSession::begins_http2(std::string_view bytes) const {
  constexpr std::string_view kLine = kHttp2Preface.substr(0, kHttp2Preface.find('\n') + 1);
  return is_new_ && !stream_.is_tls() && bytes.starts_with(kLine);
}

void HttpSession::become_http2(std::string_view received) {
  at_ = At::ended;
  frontend_.worker().timeouts.clear(*this);
  readable_.disarm();
  if (work_) work_->writable.disarm();
  frontend_.change_to_http2(*this, std::move(stream_), {peer_, is_trusted_, std::move(place_)},
                            received);
}

// Also those that TLS holds already.
void HttpSession::await_bytes() {
  readable_.arm();
  if (stream_.is_tls()) readable_.set_again(stream_.has_pending());
}

void HttpSession::became_idle() {
  at_ = At::idle;
  since_ms_ = now_ms();
  lower_deadline();
}

void HttpSession::on_readable() {
  switch (at_) {
    case At::proxy_header:
      return read_proxy_header();
    case At::handshake:
      return shake_hands();
    case At::lingering:
      return read_to_nowhere();
    case At::ended:
      return;
    default:
      return yields_ ? go_on() : read();
  }
}

bool HttpSession::wants_bytes() const {
  switch (at_) {
    case At::idle:
    case At::head:
      return true;
    case At::exchange:
      // Behind the body nothing is read but the client's end, so that we learn of it; after a
      // switch of protocols that was its end.
      return !paused_ && (!body_done_ || (!raw_ && work_->in.empty()));
    default:
      return false;
  }
}

void HttpSession::read() {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!wants_bytes()) return readable_.disarm();
    Pipe* pipe = request_pipe();
    if (!(pipe != nullptr ? splice_once(*pipe, i == 0) : read_once())) return;
  }
  await_bytes();
}

// One read. False when there is no use in another one now.
bool HttpSession::read_once() {
  char* scratch = frontend_.tools().client_scratch.get();
  Transfer got = stream_.read({scratch, HttpTools::kScratchSize});
  if (got.outcome != Transfer::Outcome::done) return ended(got);
  bool is_full = got.bytes == HttpTools::kScratchSize;
  bool is_short = stream_.is_tls() ? stream_.tls()->drained() : !is_full;
  take(scratch, got.bytes);
  if (at_ == At::ended || at_ == At::lingering || yields_) return false;
  if (work_) work_->sense.note_read(is_full && !stream_.is_tls());
  if (!is_short) return true;
  watch();
  return false;
}

bool HttpSession::ended(const Transfer& got) {
  switch (got.outcome) {
    case Transfer::Outcome::wants_read:
      readable_.arm();
      readable_.set_again(false);
      break;
    case Transfer::Outcome::wants_write:
      readable_.disarm();
      read_wants_write_ = true;
      work().writable.arm();
      break;
    case Transfer::Outcome::end:
    case Transfer::Outcome::cut:
      take_end(got.outcome == Transfer::Outcome::end);
      break;
    default:
      gone_ = true;
      take_end(false);
  }
  return false;
}

// Where a large body may go past us; null where its bytes are needed.
Pipe* HttpSession::request_pipe() {
  if (at_ != At::exchange || body_done_ || !work_->sense.wants_splice()) return nullptr;
  bool is_plain = raw_ || work_->body == BodyKind::length;
  return is_plain && work_->in.empty() ? work_->exchange->request_pipe() : nullptr;
}

bool HttpSession::splice_once(Pipe& pipe, bool is_first) {
  Work& now = *work_;
  Transfer got = splice_from(stream_, pipe, raw_ ? pipe.capacity : now.left);
  if (got.outcome != Transfer::Outcome::done) {
    // Before a byte of urgent data splice(2) finds nothing for ever; recv(2) passes over it.
    if (is_first) now.sense.set(false);
    return ended(got);
  }
  now.sense.note_splice(got.bytes);
  since_ms_ = now_ms();
  BodyPart part;
  part.piped = got.bytes;
  if (!raw_) now.left -= got.bytes;
  part.is_last = body_done_ = !raw_ && now.left == 0;
  in_turn_ = true;
  now.exchange->on_body(part);
  in_turn_ = false;
  if (over_) settle_exchange();
  return at_ == At::exchange && got.bytes >= StreamPipe::kSmallSplice;
}

// While its request is with a server, whether a client that is new goes away matters only when that
// takes long: short ones are spared two calls.
void HttpSession::watch() {
  if (readable_.armed()) return readable_.set_again(false);
  if (!wants_bytes()) return;
  if (at_ != At::exchange || !body_done_) return readable_.arm();
  lower_deadline();
}

void HttpSession::take_end(bool in_order) {
  if (at_ == At::exchange && raw_ && in_order) {
    readable_.disarm();
    body_done_ = true;
    in_turn_ = true;
    work_->exchange->on_body({{}, true, nullptr});
    in_turn_ = false;
    if (over_) settle_exchange();
    return;
  }
  if (at_ == At::exchange) {
    gone_ = true;
    in_turn_ = true;
    work_->exchange->client_gone();
    in_turn_ = false;
  }
  end(at_ == At::idle && in_order ? CloseReason::finished : CloseReason::client_reset);
}

void HttpSession::take(char* bytes, size_t size) {
  std::string& in = work().in;
  in_turn_ = true;
  if (in.empty()) {
    size_t used = process(bytes, size);
    if (work_ && used < size) work_->in.assign(bytes + used, size - used);
  } else {
    in.append(bytes, size);
    size_t used = process(in.data(), in.size());
    if (work_) work_->in.erase(0, used);
  }
  in_turn_ = false;
  if (at_ == At::ended) return;
  if (yields_) return come_back();
  if (!wants_bytes() && at_ != At::lingering) readable_.disarm();
  release_work();
}

// In the next turn, to go on with what was read.
void HttpSession::come_back() {
  readable_.arm();
  readable_.set_again(true);
}

// Takes what it can use now; returns how much that was.
size_t HttpSession::process(char* bytes, size_t size) {
  size_t used = 0;
  int begun = 0;
  yields_ = false;
  while (used < size) {
    if (at_ == At::idle || at_ == At::head) {
      if (begun == kExchangesPerTurn) {
        yields_ = true;
        return used;
      }
      if (begins_http2({bytes + used, size - used})) {
        become_http2({bytes + used, size - used});
        return size;
      }
      RequestHead& head = frontend_.tools().request;
      const HttpLimits& limits = frontend_.config().http.limits;
      Parse parsed = work_->parser.parse({bytes + used, size - used},
                                         {limits.max_uri_size, limits.max_header_size}, head);
      if (parsed == Parse::refused) {
        refuse(work_->parser.refusal(), ExchangeEnd::bad_request, {bytes + used, size - used});
        return size;
      }
      if (parsed == Parse::incomplete) {
        // An empty line behind the last request is no beginning of another.
        bool has_begun = !std::string_view("\r\n").starts_with({bytes + used, size - used});
        if (at_ == At::idle && has_begun) {
          at_ = At::head;
          since_ms_ = now_ms();
          lower_deadline();
        }
        return used;
      }
      used += work_->parser.size();
      frontend_.cell().bytes_in.add(work_->parser.size());
      work_->parser.reset();
      used += begin_exchange(bytes + used, size - used);
      ++begun;
    } else if (at_ == At::exchange && !body_done_ && !paused_ && !over_) {
      BodyPart part;
      bool good = true;
      since_ms_ = now_ms();
      used += next_part(bytes + used, size - used, part, good);
      if (good) {
        work_->exchange->on_body(part);
      } else {
        keep_ = false;
        work_->exchange->refuse(400);
      }
      if (!body_done_) lower_deadline();  // it may have sent without being told to go on
    } else {
      return used;
    }
    if (over_) settle_exchange();
    if (at_ == At::ended || at_ == At::lingering) return size;
  }
  return used;
}

size_t HttpSession::begin_exchange(char* bytes, size_t size) {
  const RequestHead& head = frontend_.tools().request;
  Work& now = work();
  is_new_ = false;
  at_ = At::exchange;
  since_ms_ = now_ms();
  now.body = head.body;
  now.left = head.length;
  now.decoder = ChunkDecoder();
  body_done_ = head.body == BodyKind::none;
  minor_is_0_ = head.minor == 0;
  keep_ = !head.is_last;
  over_ = cut_ = paused_ = false;
  out_body_ = BodyKind::none;
  BodyPart part{{}, body_done_, nullptr};
  bool good = true;
  size_t used = body_done_ || size == 0 ? 0 : next_part(bytes, size, part, good);
  RequestOrigin origin{peer_, {}, stream_.is_tls(), is_trusted_};
  if (head.authority.empty() || frontend_.routes()->wants_local_address) {
    origin.local = local_address(stream_.fd());
  }
  now.exchange = std::make_unique<Exchange>(frontend_, *this, origin, head);
  if (good) {
    now.exchange->begin(part);
  } else {
    keep_ = false;
    now.exchange->refuse(400);
  }
  if (!body_done_) lower_deadline();
  return used;
}

// What of the request's body these bytes hold; returns how many of them that takes.
size_t HttpSession::next_part(char* bytes, size_t size, BodyPart& part, bool& good) {
  Work& now = *work_;
  size_t taken = size;
  if (raw_) {
    part.bytes = {bytes, size};
  } else if (now.body == BodyKind::length) {
    taken = static_cast<size_t>(std::min<uint64_t>(now.left, size));
    part.bytes = {bytes, taken};
    now.left -= taken;
    part.is_last = now.left == 0;
  } else {
    ChunkDecoder::Step step = now.decoder.decode(bytes, size);
    good = step.state != ChunkDecoder::State::refused;
    taken = step.taken;
    part.bytes = {bytes, step.body};
    part.is_last = step.state == ChunkDecoder::State::done;
    part.trailers = &now.decoder.trailers();
  }
  body_done_ = part.is_last;
  return taken;
}

void HttpSession::pause_body() {
  paused_ = true;
  work().looked_ms = now_ms();
  lower_deadline();
}

void HttpSession::resume_body() {
  if (!paused_) return;
  paused_ = false;
  since_ms_ = now_ms();
  if (in_turn_ || at_ != At::exchange) return;
  readable_.arm();
  lower_deadline();
  go_on();
}

// Processes what was read before, then what TLS has read.
void HttpSession::go_on() {
  if (at_ == At::flushing) {
    became_idle();
    readable_.arm();
  }
  if (work_ && !work_->in.empty()) {
    in_turn_ = true;
    size_t used = process(work_->in.data(), work_->in.size());
    in_turn_ = false;
    if (at_ == At::ended) return;
    if (work_) work_->in.erase(0, used);
    if (yields_) return come_back();
  }
  if (at_ == At::lingering) return;
  if (wants_bytes()) {
    readable_.arm();
    if (stream_.has_pending()) return read();
  }
  release_work();
}

void HttpSession::exchange_done() {
  over_ = true;
  if (in_turn_ || at_ == At::ended) return;
  settle_exchange();
  if (at_ == At::idle) go_on();
}

// The exchange is over: what becomes of the connection?
void HttpSession::settle_exchange() {
  over_ = false;
  frontend_.worker().loop.retire(std::move(work_->exchange));
  if (gone_) return end(CloseReason::client_reset);
  if (cut_) return end(CloseReason::server_reset);
  if (raw_) return close_after_flush();
  keep_ = keep_ && body_done_;
  if (is_blocked()) {
    at_ = At::flushing;
    return;
  }
  if (!keep_) return close_after_flush();
  became_idle();
}

void HttpSession::leave_server(const Server* server) {
  if (work_ && work_->exchange && work_->exchange->server() == server) {
    work_->exchange->leave_server();
  }
}

void HttpSession::release_work() {
  if (at_ == At::idle && work_ && !work_->exchange && work_->in.empty() && !is_blocked()) {
    work_->pipe.release(frontend_.worker().relay.pipes);
    work_.reset();
  }
}

}  // namespace lb
