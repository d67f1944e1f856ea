#include "worker/loop/confinement.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

namespace escan {
namespace {

#ifdef __x86_64__
constexpr std::array kRefused = {SYS_socket,           SYS_io_uring_setup, SYS_execve,
                                 SYS_execveat,         SYS_ptrace,         SYS_process_vm_readv,
                                 SYS_process_vm_writev};
// Calls of the x32 ABI have this bit, and numbers of their own for some of the above.
constexpr uint32_t kX32 = 0x40000000;

// seccomp(2): a program of the kernel's packet filter that is run for each system call.
std::vector<sock_filter> Filter() {
  constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
  constexpr uint32_t kRefuse = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> filter = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kRefuse),
  };
  for (const auto call : kRefused) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, kRefuse));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, kAllow));
  return filter;
}
#endif

}  // namespace

absl::Status GiveUpPrivileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "PR_SET_NO_NEW_PRIVS");
}

absl::Status GiveUpNetworkAndPrograms() {
#ifdef __x86_64__
  std::vector<sock_filter> filter = Filter();
  const sock_fprog program = {.len = static_cast<unsigned short>(filter.size()),
                              .filter = filter.data()};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, "seccomp");
#else
  return absl::UnimplementedError("seccomp: there is no filter for this processor");
#endif
}

}  // namespace escan
