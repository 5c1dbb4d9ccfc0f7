// SPDX-License-Identifier: MIT
#include "pool/redis_store.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/clock.h"
#include "common/log.h"

namespace lb {

namespace {

// Of the table, at a time: others want an answer meanwhile.
constexpr size_t kWrittenAtOnce = 256;
constexpr std::chrono::milliseconds kBetweenWrites{5};
constexpr const char* kNobody = "-";
constexpr int64_t kBetweenErrors_ms = 10'000;

RedisClient::Settings settings_of(const StickyStoreConfig& config, std::string channel) {
  return {.host = config.host,
          .port = config.port,
          .user = config.user,
          .password = config.password,
          .database = config.database,
          .channel = std::move(channel)};
}

}  // namespace

std::shared_ptr<RedisStore> RedisStore::make(EventLoop& loop, Mailbox& mailbox,
                                             const PoolConfig& pool,
                                             std::shared_ptr<StickyTable> table,
                                             const std::shared_ptr<const TlsClientContext>& tls) {
  std::shared_ptr<RedisStore> store(
      new RedisStore(loop, mailbox, pool, std::move(table), tls),
      [&mailbox](RedisStore* last) { mailbox.post([own = std::unique_ptr<RedisStore>(last)] {}); });
  store->commands_.start();
  store->messages_.start();
  return store;
}

RedisStore::RedisStore(EventLoop& loop, Mailbox& mailbox, const PoolConfig& pool,
                       std::shared_ptr<StickyTable> table,
                       const std::shared_ptr<const TlsClientContext>& tls)
    : mailbox_(mailbox),
      pool_(pool.name),
      prefix_(fmt::format("{}{}:", pool.sticky->store->prefix, pool.name)),
      where_(fmt::format("{}:{}", pool.sticky->store->host, pool.sticky->store->port)),
      timeout_ms_(pool.sticky->store->timeout.count()),
      ttl_(pool.sticky->ttl),
      table_(std::move(table)),
      go_on_(loop, [this] { write_back(); }),
      commands_(loop, settings_of(*pool.sticky->store, ""), tls),
      messages_(loop, settings_of(*pool.sticky->store, prefix_ + "moved"), tls) {
  // Both or nothing: entries that others move would else be remembered wrongly.
  for (RedisClient* client : {&commands_, &messages_}) {
    client->on_ready = [this] { connection_changed(""); };
    client->on_lost = [this](const std::string& why) { connection_changed(why); };
  }
  messages_.on_message = [this](const std::string& text) { on_moved(text); };
}

void RedisStore::connection_changed(const std::string& why) {
  bool is_up = commands_.is_ready() && messages_.is_ready();
  if (!why.empty() && !warned_) {
    warned_ = true;
    log::warning("pools.{}.sticky.store: redis {}: {}; this balancer decides alone meanwhile",
                 pool_, where_, why);
  }
  if (is_up == up_.exchange(is_up)) return;
  if (!is_up) {
    go_on_.stop();
    return;
  }
  log::info("pools.{}.sticky.store: connected to redis {}", pool_, where_);
  warned_ = false;
  next_shard_ = 0;
  unwritten_.clear();
  write_back();
}

void RedisStore::set_servers(const std::vector<const Server*>& servers) {
  addresses_.clear();
  numbers_.clear();
  for (const Server* server : servers) {
    std::string address = server->address().to_string();
    numbers_.emplace(address, server->number());
    addresses_.emplace(server->number(), std::move(address));
  }
}

// What is posted does not own the store: it may come too late for it.
void RedisStore::ask(const StickyKey& key, std::shared_ptr<StoreQuestion> question) {
  mailbox_.post([weak = weak_from_this(), key, question = std::move(question)] {
    auto self = weak.lock();
    self ? self->look_up(key, question) : question->answer();
  });
}

void RedisStore::tell(const StickyKey& key, uint32_t server) {
  if (!is_up()) return;
  mailbox_.post([weak = weak_from_this(), key, server] {
    if (auto self = weak.lock()) self->confirm(key, server);
  });
}

void RedisStore::tell_move(const StickyKey& key, uint32_t server) {
  if (!is_up()) return;
  mailbox_.post([weak = weak_from_this(), key, server] {
    if (auto self = weak.lock()) self->overwrite(key, server);
  });
}

void RedisStore::forget(uint64_t hash) {
  if (!is_up()) return;
  mailbox_.post([weak = weak_from_this(), hash] {
    if (auto self = weak.lock()) self->remove(hash);
  });
}

void RedisStore::look_up(const StickyKey& key, const std::shared_ptr<StoreQuestion>& question) {
  std::string name = name_of(key.hash);
  std::string life = life_of(key);
  if (life.empty()) return question->answer();
  auto answered = [this, key, question](const RedisClient::Replies* replies) {
    if (replies != nullptr) take_over(key, replies->front());
    question->answer();
  };
  bool asked = commands_.ask(resp_command({"GET", name}) + resp_command({"PEXPIRE", name, life}), 2,
                             answered);
  if (!asked) question->answer();
}

void RedisStore::confirm(const StickyKey& key, uint32_t server) {
  const std::string* address = address_of(server);
  std::string life = life_of(key);
  if (address == nullptr || life.empty()) return;
  std::string name = name_of(key.hash);
  commands_.ask(resp_command({"SET", name, *address, "PX", life, "NX"}) +
                    resp_command({"GET", name}) + resp_command({"PEXPIRE", name, life}),
                3, [this, key, own = *address](const RedisClient::Replies* replies) {
                  if (replies == nullptr) return;
                  note_error(replies->front());
                  if (replies->at(1).text != own) take_over(key, replies->at(1));
                });
}

void RedisStore::overwrite(const StickyKey& key, uint32_t server) {
  const std::string* address = address_of(server);
  std::string life = life_of(key);
  if (address == nullptr || life.empty()) return;
  std::string name = name_of(key.hash);
  commands_.ask(resp_command({"SET", name, *address, "PX", life}) +
                    resp_command({"PUBLISH", prefix_ + "moved",
                                  fmt::format("{:016x} {}", key.hash, *address)}),
                2, [this, key, server](const RedisClient::Replies* replies) {
                  if (replies == nullptr) return;
                  note_error(replies->front());
                  if (replies->front().kind == RespValue::Kind::text) {
                    table_->move_is_shared(key.hash, server);
                  }
                });
}

void RedisStore::take_over(const StickyKey& key, const RespValue& value) {
  if (value.kind == RespValue::Kind::text) {
    table_->adopt(key, number_of(value.text), monotonic_ms());
  } else {
    note_error(value);
  }
}

void RedisStore::remove(uint64_t hash) {
  commands_.ask(
      resp_command({"DEL", name_of(hash)}) +
          resp_command({"PUBLISH", prefix_ + "moved", fmt::format("{:016x} {}", hash, kNobody)}),
      2, [](const RedisClient::Replies*) {});
}

// "0123456789abcdef 10.0.0.21:8080", or kNobody instead of the address; what this balancer said
// itself comes back too.
void RedisStore::on_moved(const std::string& text) {
  constexpr size_t kDigits = 16;
  uint64_t hash = 0;
  if (text.size() < kDigits + 2 || text[kDigits] != ' ') return;
  auto parsed = std::from_chars(text.data(), text.data() + kDigits, hash, 16);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + kDigits) return;
  std::string address = text.substr(kDigits + 1);
  address == kNobody ? table_->erase(hash) : table_->replace(hash, number_of(address));
}

void RedisStore::write_back() {
  if (!is_up()) return;
  int64_t now_ms = monotonic_ms();
  for (size_t written = 0; written < kWrittenAtOnce;) {
    if (unwritten_.empty()) {
      if (next_shard_ >= table_->shards()) return;
      unwritten_ = table_->list_shard(next_shard_++, now_ms);
      continue;
    }
    if (commands_.asked() > RedisClient::kMostAsked / 2) break;
    const StickyTable::View& entry = unwritten_.back();
    StickyKey key{entry.hash, entry.until_ms};
    entry.is_unshared_move ? overwrite(key, entry.server) : confirm(key, entry.server);
    unwritten_.pop_back();
    ++written;
  }
  go_on_.start(kBetweenWrites);
}

void RedisStore::note_error(const RespValue& reply) {
  if (reply.kind != RespValue::Kind::error) return;
  int64_t now_ms = monotonic_ms();
  if (error_told_ms_ != 0 && now_ms - error_told_ms_ < kBetweenErrors_ms) return;
  error_told_ms_ = now_ms;
  log::warning("pools.{}.sticky.store: redis {} says: {}", pool_, where_, reply.text);
}

std::string RedisStore::name_of(uint64_t hash) const {
  return fmt::format("{}{:016x}", prefix_, hash);
}

std::string RedisStore::life_of(const StickyKey& key) const {
  int64_t left_ms = std::min<int64_t>(ttl_.count(), key.valid_until_ms - monotonic_ms());
  return left_ms > 0 ? std::to_string(left_ms) : "";
}

const std::string* RedisStore::address_of(uint32_t server) const {
  auto found = addresses_.find(server);
  return found == addresses_.end() ? nullptr : &found->second;
}

uint32_t RedisStore::number_of(const std::string& address) const {
  auto found = numbers_.find(address);
  return found == numbers_.end() ? 0 : found->second;
}

}  // namespace lb
