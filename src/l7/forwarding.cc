// SPDX-License-Identifier: MIT
#include "l7/forwarding.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace lb {

namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// One item of X-Forwarded-For: an address, with or without port.
bool parse_forwarded(std::string_view text, Address& address) {
  if (auto ip = Address::parse_ip(text, 0)) {
    address = *ip;
    return true;
  }
  auto with_port = Address::parse(text);
  if (!with_port || !with_port->is_ip()) return false;
  address = *with_port;
  address.set_port(0);
  return true;
}

bool is_forwarding(FieldId id) {
  return id == FieldId::x_forwarded_for || id == FieldId::x_forwarded_host ||
         id == FieldId::x_forwarded_proto || id == FieldId::x_forwarded_other ||
         id == FieldId::forwarded || id == FieldId::x_request_id;
}

// The field's name as a server that takes '_' for '-' reads it (CGI and its heirs).
FieldId id_as_cgi_reads(std::string_view name) {
  if (name.find('_') == std::string_view::npos || name.size() > 32) return FieldId::other;
  std::string dashed(name);
  std::replace(dashed.begin(), dashed.end(), '_', '-');
  return field_id(dashed);
}

// Text that is put together in the request's own memory.
class Composer {
 public:
  Composer(KeptRequest& request, size_t room) : begin_(request.allocate(room)), at_(begin_) {}

  Composer& put(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  std::string_view text() const { return {begin_, static_cast<size_t>(at_ - begin_)}; }

 private:
  char* const begin_;
  char* at_;
};

std::string_view hex_id(const uint64_t (&random)[2], KeptRequest& request) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr size_t kDigits = 32;
  char* text = request.allocate(kDigits);
  for (size_t i = 0; i < kDigits; ++i) text[i] = kHex[random[i / 16] >> (i % 16 * 4) & 15];
  return {text, kDigits};
}

// Appends to what the fields of this id say, which become one; without any adds it.
void append(KeptRequest& request, FieldId id, std::string_view name, std::string_view value) {
  auto& fields = request.head.fields;
  size_t said = 0;
  for (const Field& field : fields) {
    if (field.id == id) said += field.value.size() + 2;
  }
  if (said > 0) {
    Composer joined(request, said + value.size());
    std::erase_if(fields, [&](const Field& field) {
      if (field.id != id) return false;
      joined.put(field.value).put(field.value.empty() ? "" : ", ");
      return true;
    });
    value = joined.put(value).text();
  }
  fields.push_back({name, value, id});
}

void set_if_absent(KeptRequest& request, FieldId id, std::string_view name,
                   std::string_view value) {
  if (request.head.find(id) == nullptr) request.head.fields.push_back({name, value, id});
}

// RFC 7239's elements for the peer, quoted where they must be.
std::string_view forwarded_by(const Address& peer, std::string_view ip, std::string_view proto,
                              KeptRequest& request) {
  constexpr size_t kMarks = 32;
  std::string_view host = request.head.authority;
  std::string_view quote = host.find_first_of(":[]();=%") == std::string_view::npos ? "" : "\"";
  Composer text(request, ip.size() + host.size() + proto.size() + kMarks);
  if (peer.is_ipv6()) {
    text.put("for=\"[").put(ip).put("]\"");
  } else {
    text.put("for=").put(ip);
  }
  text.put(";host=").put(quote).put(host).put(quote).put(";proto=").put(proto);
  return text.text();
}

}  // namespace

Address client_address(const RequestHead& head, const RequestOrigin& origin,
                       const CidrSet& trusted) {
  Address client = origin.peer;
  if (!origin.is_trusted) return client;
  for (auto field = head.fields.rbegin(); field != head.fields.rend(); ++field) {
    if (field->id != FieldId::x_forwarded_for) continue;
    std::string_view rest = field->value;
    while (true) {
      size_t comma = rest.rfind(',');
      std::string_view item = trim(rest.substr(comma == std::string_view::npos ? 0 : comma + 1));
      // What is no address was written by somebody who is not to be trusted with the rest either.
      if (!parse_forwarded(item, client) || !trusted.contains(client)) return client;
      if (comma == std::string_view::npos) break;
      rest = rest.substr(0, comma);
    }
  }
  return client;
}

void drop_forged_fields(RequestHead& head, const RequestOrigin& origin) {
  std::erase_if(head.fields, [&](const Field& field) {
    return (!origin.is_trusted && is_forwarding(field.id)) ||
           is_forwarding(id_as_cgi_reads(field.name));
  });
}

void set_forwarding_fields(KeptRequest& request, const RequestOrigin& origin,
                           const uint64_t (&random)[2]) {
  RequestHead& head = request.head;
  std::string_view proto = origin.is_tls ? "https" : "http";
  std::string_view ip = origin.peer.is_ip() ? request.keep(origin.peer.ip_string()) : "unknown";
  append(request, FieldId::via, "Via", head.major == 2 ? "2.0 lb" : "1.1 lb");
  append(request, FieldId::x_forwarded_for, "X-Forwarded-For", ip);
  set_if_absent(request, FieldId::x_forwarded_proto, "X-Forwarded-Proto", proto);
  set_if_absent(request, FieldId::x_forwarded_host, "X-Forwarded-Host", head.authority);
  append(request, FieldId::forwarded, "Forwarded", forwarded_by(origin.peer, ip, proto, request));
  if (head.find(FieldId::x_request_id) == nullptr) {
    head.fields.push_back({"X-Request-Id", hex_id(random, request), FieldId::x_request_id});
  }
}

}  // namespace lb
