// SPDX-License-Identifier: MIT
// What a client may send on an HTTP/2 connection, any bytes of it: every split is read as the
// whole, and a request that is taken for one means the same as lines of HTTP/1.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "l7/http1_parser.h"
#include "l7/http1_writer.h"
#include "l7/http2_hpack.h"
#include "l7/http2_reader.h"
#include "l7/http2_request.h"

namespace {

constexpr lb::HeadLimits kLimits{256, 2048};

void require(bool holds) {
  if (!holds) std::abort();
}

// No line of a request may be read as two, or as another one, by a reader of HTTP/1.
void check_as_http1(const lb::RequestHead& head) {
  std::string wire;
  lb::write_request(head, false, wire);
  lb::RequestParser parser;
  lb::RequestHead again;
  require(parser.parse(wire, {1 << 20, 1 << 21}, again) == lb::Parse::complete);
  require(parser.size() == wire.size());
  require(again.method_name == head.method_name && again.authority == head.authority);
  require(again.path == head.path && again.query == head.query);
  require(again.body == head.body && again.length == head.length && again.upgrade == head.upgrade);
  require(again.fields.size() == head.fields.size());
  for (size_t i = 0; i < head.fields.size(); ++i) {
    require(again.fields[i].name == head.fields[i].name);
    require(again.fields[i].value == head.fields[i].value);
  }
}

// Notes what it is told as text.
class Notes final : public lb::Http2Frames {
 public:
  std::string text;

 private:
  lb::Http2Fault on_data_frame(uint32_t stream, uint32_t length) override {
    note("D", stream, length);
    in_frame_ = 0;
    return {};
  }
  lb::Http2Fault on_data(uint32_t stream, std::string_view bytes, size_t padding,
                         bool ends) override {
    in_frame_ += bytes.size() + padding;
    text.append(bytes);
    if (ends) note("E", stream, in_frame_);
    return {};
  }
  lb::Http2Fault on_headers(const lb::Http2Block& block) override {
    note("H", block.stream, block.end_stream + 2 * block.on_itself);
    lb::KeptRequest kept;
    lb::Http2RequestReader request(kept, kLimits);
    lb::Http2TrailerReader trailers;
    std::string_view bytes = block.bytes;
    std::string_view name;
    std::string_view value;
    lb::HpackDecoder::Step step;
    while ((step = decoder_.next(bytes, name, value)) == lb::HpackDecoder::Step::field) {
      require(bytes.size() <= block.bytes.size());
      if (request.size() > 16 * kLimits.head) break;
      request.add(name, value);
      trailers.add(name, value);
    }
    if (step != lb::HpackDecoder::Step::end) return {lb::Http2Error::compression_error, "broken"};
    lb::Http2Verdict verdict = request.finish(block.end_stream);
    note("V", static_cast<uint32_t>(verdict), static_cast<size_t>(request.refusal().status));
    if (verdict == lb::Http2Verdict::good) check_as_http1(kept.head);
    for (const lb::Field& field : trailers.trailers()) {
      require(lb::is_token(field.name) && lb::is_field_value(field.value));
    }
    return {};
  }
  lb::Http2Fault on_priority(uint32_t stream, bool on_itself) override {
    return note("P", stream, on_itself);
  }
  lb::Http2Fault on_reset(uint32_t stream, lb::Http2Error error) override {
    return note("R", stream, static_cast<size_t>(error));
  }
  lb::Http2Fault on_setting(lb::Http2Setting setting, uint32_t value) override {
    return note("S", static_cast<uint32_t>(setting), value);
  }
  lb::Http2Fault on_settings_end() override { return note("s", 0, 0); }
  lb::Http2Fault on_settings_ack() override { return note("a", 0, 0); }
  lb::Http2Fault on_ping(std::string_view opaque, bool is_ack) override {
    require(opaque.size() == 8);
    return note("p", is_ack, 0);
  }
  lb::Http2Fault on_goaway(uint32_t last, lb::Http2Error error) override {
    return note("G", last, static_cast<size_t>(error));
  }
  lb::Http2Fault on_window_update(uint32_t stream, uint32_t increment) override {
    return note("W", stream, increment);
  }
  lb::Http2Fault on_unknown_frame() override { return note("?", 0, 0); }

  lb::Http2Fault note(const char* what, uint32_t a, size_t b) {
    text.append(what).append(std::to_string(a)).append(":").append(std::to_string(b)).append("\n");
    return {};
  }

  lb::HpackDecoder decoder_;
  size_t in_frame_ = 0;
};

std::string read(std::string_view bytes, size_t piece) {
  Notes notes;
  lb::Http2Reader reader(notes, {}, kLimits.head);
  lb::Http2Fault fault;
  while (!bytes.empty() && !fault) {
    std::string_view next = bytes.substr(0, piece);
    size_t taken = reader.read(next, fault);
    require(fault || taken == next.size());
    bytes.remove_prefix(next.size());
  }
  if (fault) notes.text.append("fault ").append(std::to_string(static_cast<int>(fault.error)));
  return notes.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string whole = read(bytes, size + 1);
  for (size_t piece : {size_t{1}, size_t{5}, size_t{64}}) require(read(bytes, piece) == whole);
  return 0;
}
