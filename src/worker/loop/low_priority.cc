#include "worker/loop/low_priority.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace escan {
namespace {

constexpr int kNicer = 10;

}  // namespace

absl::Status RunOnCpus(const std::vector<int>& cpus) {
  if (cpus.empty()) return absl::OkStatus();
  const auto largest = static_cast<size_t>(*std::max_element(cpus.begin(), cpus.end()));
  std::vector<cpu_set_t> mask(largest / CPU_SETSIZE + 1);
  const size_t bytes = mask.size() * sizeof(cpu_set_t);
  CPU_ZERO_S(bytes, mask.data());
  for (const int cpu : cpus) CPU_SET_S(static_cast<size_t>(cpu), bytes, mask.data());
  if (::sched_setaffinity(0, bytes, mask.data()) == 0) return absl::OkStatus();
  // No fault of the stages', whatever the system calls it.
  return absl::InternalError(
      absl::StrCat("cannot run on CPUs ", absl::StrJoin(cpus, ","), ": ", std::strerror(errno)));
}

void RunAtLowPriority(const std::function<void()>& work) {
  std::thread([&work] {
    ::pthread_setname_np(::pthread_self(), "preparing");
    // Where it is refused the work only disturbs more.
    const auto self = static_cast<id_t>(::gettid());
    ::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + kNicer);
    work();
  }).join();
}

}  // namespace escan
