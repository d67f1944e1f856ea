#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "config/clients_file.h"
#include "contracts/mutex.h"
#include "escan/time.h"
#include "server/access/token_bucket.h"

namespace escan {

// One of those that may ask, what it may and what it did. Any thread; does not block.
class Client {
 public:
  explicit Client(ClientConfig config);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const ClientConfig& config() const { return config_; }

  // A request inside; ends with this object.
  class Visit {
   public:
    Visit() = default;
    Visit(Visit&& other) noexcept = default;
    Visit& operator=(Visit&& other) noexcept = default;
    ~Visit();

   private:
    friend class Client;
    explicit Visit(std::shared_ptr<Client> client) : client_(std::move(client)) {}
    std::shared_ptr<Client> client_;
  };

  // ResourceExhausted naming the limit that a request of so many rows would pass. A null `client`
  // has no limits.
  static absl::StatusOr<Visit> Enter(const std::shared_ptr<Client>& client, int rows,
                                     TimePoint now);

  struct Counts {
    uint64_t requests = 0;  // that were let in
    uint64_t rows = 0;
    uint64_t refused = 0;  // requests
    int inside = 0;        // requests
  };
  Counts Read() const;
  // Goes on where another object of the same client has come to.
  void GoOnFrom(const Counts& counts);

 private:
  absl::Status Admit(int rows, TimePoint now);
  absl::Status CheckLimits(TimePoint now) ESCAN_REQUIRES(mutex_);
  void Leave();

  const ClientConfig config_;
  mutable Mutex mutex_;
  TokenBucket requests_ ESCAN_GUARDED_BY(mutex_);
  TokenBucket rows_ ESCAN_GUARDED_BY(mutex_);
  Counts counts_ ESCAN_GUARDED_BY(mutex_);
};

}  // namespace escan
