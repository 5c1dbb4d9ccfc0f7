// SPDX-License-Identifier: MIT
#include "app/saved_state.h"

#include <charconv>
#include <stdexcept>
#include <utility>

#include "common/base64url.h"
#include "common/json.h"
#include "common/log.h"
#include "config/balance.h"

namespace lb {

namespace {

constexpr int kVersion = 1;

Json to_json(const ServerConfig& server) {
  Json json = {{"name", server.name},
               {"host", server.host},
               {"address", server.address.to_string()},
               {"weight", server.weight},
               {"backup", server.backup}};
  if (server.max_connections) json["maxConnections"] = *server.max_connections;
  return json;
}

ServerConfig server_of(const Json& json) {
  ServerConfig server;
  server.name = json.at("name").get<std::string>();
  server.host = json.at("host").get<std::string>();
  auto address = Address::parse(json.at("address").get<std::string>());
  if (!address) throw std::invalid_argument("an address");
  server.address = *address;
  server.weight = json.at("weight").get<uint32_t>();
  server.backup = json.at("backup").get<bool>();
  if (auto most = json.find("maxConnections"); most != json.end()) {
    server.max_connections = most->get<uint32_t>();
  }
  return server;
}

Overlay::Key key_of(const Json& json) {
  return {json.at("pool").get<std::string>(), json.at("server").get<std::string>()};
}

Json with_key(const Overlay::Key& key) {
  return {{"pool", key.first}, {"server", key.second}};
}

Balance balance_of(const Json& json) {
  auto balance = config::one_of<Balance>(config::balance_words()).parse(json.get<std::string>());
  if (!balance) throw std::invalid_argument("an algorithm");
  return *balance;
}

AdminState state_of(const std::string& word) {
  for (AdminState state : {AdminState::drain, AdminState::maintenance}) {
    if (word == to_string(state)) return state;
  }
  throw std::invalid_argument("a state");
}

Json to_json(const Overlay& overlay) {
  Json json = {{"added", Json::array()},
               {"removed", Json::array()},
               {"weights", Json::array()},
               {"states", Json::array()},
               {"algorithms", Json::array()}};
  for (const auto& [key, added] : overlay.added) {
    Json one = with_key(key);
    one["config"] = to_json(added.server);
    if (added.check_path) one["checkPath"] = *added.check_path;
    if (added.check_interval) one["checkIntervalMs"] = added.check_interval->count();
    json["added"].push_back(std::move(one));
  }
  for (const auto& [key, server] : overlay.removed) {
    Json one = with_key(key);
    one["config"] = to_json(server);
    json["removed"].push_back(std::move(one));
  }
  for (const auto& [key, weight] : overlay.weights) {
    Json one = with_key(key);
    one["value"] = weight.value;
    one["inFile"] = weight.in_file;
    json["weights"].push_back(std::move(one));
  }
  for (const auto& [key, state] : overlay.states) {
    Json one = with_key(key);
    one["value"] = to_string(state);
    json["states"].push_back(std::move(one));
  }
  for (const auto& [pool, balance] : overlay.algorithms) {
    json["algorithms"].push_back({{"pool", pool},
                                  {"value", config::balance_name(balance.value)},
                                  {"inFile", config::balance_name(balance.in_file)}});
  }
  return json;
}

Overlay overlay_of(const Json& json) {
  Overlay overlay;
  for (const Json& one : json.at("added")) {
    Overlay::Added added{server_of(one.at("config"))};
    if (one.contains("checkPath")) added.check_path = one["checkPath"].get<std::string>();
    if (one.contains("checkIntervalMs")) {
      added.check_interval = milliseconds(one["checkIntervalMs"].get<int64_t>());
    }
    overlay.added[key_of(one)] = std::move(added);
  }
  for (const Json& one : json.at("removed")) {
    overlay.removed[key_of(one)] = server_of(one.at("config"));
  }
  for (const Json& one : json.at("weights")) {
    overlay.weights[key_of(one)] = {one.at("value").get<uint32_t>(),
                                    one.at("inFile").get<uint32_t>()};
  }
  for (const Json& one : json.at("states")) {
    overlay.states[key_of(one)] = state_of(one.at("value").get<std::string>());
  }
  for (const Json& one : json.at("algorithms")) {
    overlay.algorithms[one.at("pool").get<std::string>()] = {balance_of(one.at("value")),
                                                             balance_of(one.at("inFile"))};
  }
  return overlay;
}

SavedState::Replacement replacement_of(const Json& json) {
  SavedState::Replacement replacement;
  replacement.text = json.at("text").get<std::string>();
  auto digits = json.at("inPlaceOf").get<std::string>();
  auto parsed =
      std::from_chars(digits.data(), digits.data() + digits.size(), replacement.in_place_of, 16);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
    throw std::invalid_argument("a fingerprint");
  }
  return replacement;
}

}  // namespace

std::string to_text(const SavedState& state) {
  Json json = {{"version", kVersion}, {"overlay", to_json(state.overlay)}};
  if (!state.cookie_key.empty()) json["cookieKey"] = encode_base64url(state.cookie_key);
  if (state.replacement) {
    json["configuration"] = {{"inPlaceOf", fmt::format("{:016x}", state.replacement->in_place_of)},
                             {"text", state.replacement->text}};
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<SavedState> parse_state(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return Unexpected{json.error()};
  try {
    if (json->at("version").get<int>() != kVersion) return fail("of another version of lb");
    SavedState state{overlay_of(json->at("overlay")), {}, {}};
    if (json->contains("cookieKey")) {
      auto key = decode_base64url(json->at("cookieKey").get<std::string>());
      if (!key) throw std::invalid_argument("a key");
      state.cookie_key = std::move(*key);
    }
    if (json->contains("configuration")) {
      state.replacement = replacement_of(json->at("configuration"));
    }
    return state;
  } catch (const std::exception& error) {
    return fail(fmt::format("not what lb writes: {}", error.what()));
  }
}

}  // namespace lb
