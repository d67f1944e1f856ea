#include "process_figures.h"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>

namespace escan {
namespace {

const std::filesystem::path kProc = "/proc";

struct ProcessStat {
  pid_t parent = 0;
  Duration processor{};
};

// proc(5), /proc/PID/stat. The second field, the name in parentheses, may hold anything.
ProcessStat ReadStat(const std::filesystem::path& folder) {
  std::ifstream file(folder / "stat");
  file.ignore(std::numeric_limits<std::streamsize>::max(), '(');
  std::string rest;
  std::getline(file, rest, '\0');  // it fails when the process has ended
  const size_t name_end = rest.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(rest.substr(name_end + 1));
  ProcessStat stat;
  std::string ignored;
  fields >> ignored >> stat.parent;  // 3 state, 4 ppid
  for (int field = 5; field < 14; ++field) fields >> ignored;
  int64_t user = 0;
  int64_t system = 0;
  fields >> user >> system;  // 14 utime, 15 stime
  stat.processor = (user + system) * Duration(std::chrono::seconds(1)) / sysconf(_SC_CLK_TCK);
  return stat;
}

bool IsProcess(const std::filesystem::path& folder) {
  const std::string name = folder.filename();
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return error == std::errc() && end == name.data() + name.size();
}

}  // namespace

ProcessorTime ReadProcessorTime(pid_t pid) {
  ProcessorTime time{.own = ReadStat(kProc / std::to_string(pid)).processor, .children = {}};
  for (const auto& entry : std::filesystem::directory_iterator(kProc)) {
    if (!IsProcess(entry.path())) continue;
    const ProcessStat stat = ReadStat(entry.path());
    if (stat.parent == pid) time.children += stat.processor;
  }
  return time;
}

size_t ReadResidentBytes(pid_t pid) {
  std::ifstream file(kProc / std::to_string(pid) / "status");
  size_t kibibytes = 0;
  for (std::string key; file >> key;) {
    size_t value = 0;
    if ((key == "RssAnon:" || key == "RssFile:") && file >> value) kibibytes += value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return kibibytes * 1024;
}

}  // namespace escan
