#include "server/access/client.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace escan {

Client::Client(ClientConfig config)
    : config_(std::move(config)),
      requests_(config_.requests_per_second, Clock::now()),
      rows_(config_.rows_per_second, Clock::now()) {}

Client::Visit::~Visit() {
  if (client_ != nullptr) client_->Leave();
}

absl::StatusOr<Client::Visit> Client::Enter(const std::shared_ptr<Client>& client, int rows,
                                            TimePoint now) {
  if (client == nullptr) return Visit();
  if (absl::Status status = client->Admit(rows, now); !status.ok()) return status;
  return Visit(client);
}

absl::Status Client::Admit(int rows, TimePoint now) {
  const MutexLock lock(mutex_);
  if (absl::Status status = CheckLimits(now); !status.ok()) {
    ++counts_.refused;
    return status;
  }
  requests_.Take(1);
  rows_.Take(rows);
  ++counts_.inside;
  ++counts_.requests;
  counts_.rows += static_cast<uint64_t>(rows);
  return absl::OkStatus();
}

absl::Status Client::CheckLimits(TimePoint now) {
  const auto passed = [&](auto limit, const char* of) {
    return absl::ResourceExhaustedError(
        absl::StrCat("client '", config_.name, "' may have ", limit, of));
  };
  if (counts_.inside >= config_.concurrent) {
    return passed(config_.concurrent, config_.concurrent == 1 ? " request at the same time"
                                                              : " requests at the same time");
  }
  if (!requests_.HasRoom(now)) return passed(config_.requests_per_second, " requests per second");
  if (!rows_.HasRoom(now)) return passed(config_.rows_per_second, " rows per second");
  return absl::OkStatus();
}

void Client::Leave() {
  const MutexLock lock(mutex_);
  --counts_.inside;
}

Client::Counts Client::Read() const {
  const MutexLock lock(mutex_);
  return counts_;
}

void Client::GoOnFrom(const Counts& counts) {
  const MutexLock lock(mutex_);
  counts_ = counts;
  counts_.inside = 0;  // those leave the other object
}

}  // namespace escan
