// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>

#include "common/address.h"
#include "common/fd.h"
#include "net/connection_limit.h"
#include "net/event_loop.h"

namespace lb {

// Accepts connections from one listening socket on one worker, a bounded batch a turn, within the
// limits of process and listener: at a limit it stops watching the socket, and the kernel's queue
// holds the clients. When descriptors run out but for the reserve, or the socket itself fails, it
// rests for a tenth of a second, so that it neither spins nor harms what is open. Says when
// somebody waits, for there may be what is idle and can go. Worker thread.
class Acceptor {
 public:
  // What a client in the queue waits for.
  enum class Lack { listener_limit, process_limit, descriptors };
  // Takes over one connection and its count in both limits.
  using Callback = std::function<void(Fd client, const Address& peer)>;
  // Ends what is idle, if anything is. True: it is worth to ask again a little later, when more may
  // be.
  using MakeRoom = std::function<bool(Lack lack)>;

  // `listening` stays the caller's. `process` and `listener` outlive it; `worker` is this thread's
  // number.
  Acceptor(EventLoop& loop, int listening, size_t worker, ConnectionLimit& process,
           ConnectionLimit& listener, Callback callback, MakeRoom make_room);

  // Tries again after a limit had no room.
  void resume();
  // Accepts what is queued, then stops for good.
  void finish();

 private:
  enum class Turn { again, pause };

  void on_readable();
  Turn accept_one();
  bool take_counts();
  void wait_for_room(Lack lack);
  void give_back_counts();
  Turn hold(Fd client, const Address& peer);
  bool hand_over_held();
  void rest(int error);

  static constexpr int kMaxBatch = 32;
  static constexpr int kSingleTurns = 16;
  static constexpr int kRest_ms = 100;

  int listening_;
  size_t worker_;
  ConnectionLimit& process_;
  ConnectionLimit& listener_;
  Callback callback_;
  MakeRoom make_room_;
  IoEvent readable_;
  Timer rest_;
  Timer ask_again_;
  int batch_ = 1;
  int single_turns_ = 0;  // left of those that accept one, after a batch found no more
  Fd held_;               // a client who waits for a descriptor that is not of the reserve
  Address held_peer_;
  bool finished_ = false;
  int64_t warned_ms_ = 0;
  EventLoop& loop_;
};

}  // namespace lb
