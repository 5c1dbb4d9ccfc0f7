// SPDX-License-Identifier: MIT
#include "common/uri_path.h"

namespace lb {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_unreserved(int c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::optional<std::string> decode_unreserved(std::string_view path) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string decoded;
  decoded.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      decoded += path[i];
      continue;
    }
    if (path.size() - i < 3) return {};
    int high = hex_digit(path[i + 1]);
    int low = hex_digit(path[i + 2]);
    if (high < 0 || low < 0) return {};
    int c = high * 16 + low;
    if (is_unreserved(c)) {
      decoded += static_cast<char>(c);
    } else {
      decoded.append({'%', kHex[high], kHex[low]});
    }
    i += 2;
  }
  return decoded;
}

}  // namespace

bool is_normalized(std::string_view path) {
  if (path.find('%') != std::string_view::npos) return false;
  return path.find("/.") == std::string_view::npos;
}

std::optional<std::string> normalized_path(std::string_view path) {
  auto decoded = decode_unreserved(path);
  if (!decoded) return {};
  std::string result;
  result.reserve(decoded->size());
  std::string_view rest = *decoded;
  while (!rest.empty()) {
    size_t end = rest.find('/', 1);
    std::string_view segment = rest.substr(0, end);  // with the slash before it
    bool is_last = end == std::string_view::npos;
    if (segment == "/..") {
      if (result.empty()) return {};
      result.erase(result.rfind('/'));
    } else if (segment != "/.") {
      result += segment;
    }
    if (is_last && (segment == "/." || segment == "/..")) result += '/';
    rest.remove_prefix(is_last ? rest.size() : end);
  }
  return result;
}

}  // namespace lb
